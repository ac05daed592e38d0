"""A finished model as one file for other programs: `tools/export.py`, `mmlt-export`."""

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

from mmlt.apis.adjustment import ESTIMATE, TUNE, Adjustment, add_arguments, from_arguments
from mmlt.apis.cli import run_tool

FORMATS = {'onnx': '.onnx', 'torch.export': '.pt2'}
LAYOUTS = ('NHWC', 'NCHW')
FACTS_FILE = 'mmlt.json'  # within a .pt2 file
TOLERANCE = 1e-4  # of a probability, on the same pixels


def export(
    checkpoint: str | Path,
    out: str | Path | None = None,
    format: str = 'onnx',  # noqa: A002 - the option's name
    layout: str = 'NHWC',
    resize: bool = True,
    adjustment: Adjustment | None = None,
) -> dict[str, Any]:
    """Write a model with all that surrounds it: uint8 pictures in, logits and probabilities out, class names inside.

    The file is written beside its place, loaded by the program that will run it, and compared with what `tools/predict.py`
    computes; it gets its name only where they agree.

    Args:
        checkpoint: of a classifier.
        out: the file; the config's name and `.onnx` or `.pt2` in the current folder by default.
        format: `onnx` or `torch.export`.
        layout: of the pictures, `NHWC` (as Pillow and OpenCV give them) or `NCHW`.
        resize: take pictures of any size, of which the middle is cut and scaled inside; else of the model's own size alone.
        adjustment: a correction to put into the file; not one that looks at images (`ncm`, `estimate`, `tune`).

    Returns:
        `path`, the `facts` inside the file, and `difference`: the largest of a `probability` and of a `logit` on the same
        pixels, of a probability with cutting and scaling (`scaled`), how many `pictures` were compared, by which `program`.

    Raises:
        UserError: the model cannot be exported, a package is missing, or the file computes something else.
    """
    import torch

    from mmlt.apis.export_check import as_images, compare, test_pictures
    from mmlt.engine.inference import Predictor
    from mmlt.errors import UserError
    from mmlt.models.deployed import Deployed

    _need(format)
    predictor = Predictor(checkpoint, precision='fp32')
    model = predictor.model.cpu().to(memory_format=torch.contiguous_format)
    factor, shift, said = _correction(adjustment, predictor)
    deployed = Deployed(model, predictor.view if resize else None, layout == 'NHWC', predictor.several, factor, shift).eval()
    pictures = test_pictures(predictor.view, resize)
    images = [as_images(group, layout) for group in pictures]
    with torch.inference_mode():
        seen = [deployed.pixels(torch.from_numpy(group)).to(torch.uint8) for group in images]
    same = [_as_predicted(predictor, group, factor, shift) for group in seen]
    whole = [_as_predicted(predictor, torch.stack([*map(predictor.view, group)]), factor, shift)[1] for group in pictures]
    facts = _facts(predictor, layout, resize, said)
    path = Path(out or re.sub(r'[^\w.-]+', '_', predictor.config or Path(checkpoint).stem) + FORMATS[format])
    program = _program(deployed, layout, resize, predictor)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.part{FORMATS[format]}')
    try:
        (_write_onnx if format == 'onnx' else _write_exported)(program, part, facts)
        difference = compare(part, format, images, same, whole)
        if not difference['probability'] <= TOLERANCE:
            raise UserError(
                f'the exported model gives probabilities that differ by {difference["probability"]:.2g} from those of the '
                'checkpoint, so nothing was written: report this with the config.'
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return dict(path=path, facts=facts, difference=difference)


def _need(kind: str) -> None:
    from mmlt.errors import UserError

    if kind not in FORMATS:
        raise UserError(f'--format is {" or ".join(FORMATS)}, not {kind!r}.')
    if kind != 'onnx':
        return
    import importlib.util

    if missing := [name for name in ('onnx', 'onnxscript', 'onnxruntime') if importlib.util.find_spec(name) is None]:
        raise UserError(f"{' and '.join(missing)} is not installed, which --format onnx needs: pip install 'mmlt[export]'.")


def _correction(adjustment: Adjustment | None, predictor) -> tuple[float, Any, dict | None]:  # noqa: ANN001
    """Factor and shift (K,) of the logits, and what stands in the file about it; tau-normalisation is put on the head."""
    if adjustment is None:
        return 1.0, None, None
    import torch

    from mmlt.apis.posthoc import linear_head
    from mmlt.apis.target_prior import target_prior
    from mmlt.config.warnings import corrected_already
    from mmlt.engine.console import say
    from mmlt.errors import UserError
    from mmlt.evaluation import posthoc

    kind, setting, counts = adjustment.adjust, adjustment.setting, predictor.class_counts
    if kind == 'ncm' or setting in (TUNE, ESTIMATE):
        raise UserError(f'--adjust {kind}{f" {setting}" if setting else ""} looks at images, which an export has none of: '
                        'give a number, a file, or another correction.')  # fmt: skip
    if predictor.several:
        raise UserError(f'--adjust {kind} is for one label an image, and this model gives several: leave it out.')
    if said := corrected_already(kind, predictor.corrections):
        say(f'  {said}')
    if kind == 'prior':
        target = target_prior(setting, predictor.classes, '--test-prior')
        shift = posthoc.correct_prior(torch.zeros(1, len(counts)), predictor.prior_of_outputs, target)[0]
        return 1.0, shift, dict(adjust=kind, value=target.tolist())
    value, _ = adjustment.fixed_value(predictor.config)
    said = dict(adjust=kind, value=value)
    if kind == 'temperature':
        return 1 / value, None, said
    if kind == 'logit_adjustment':
        return 1.0, posthoc.adjust_logits(torch.zeros(1, len(counts)), counts, value)[0], said
    head = linear_head(predictor.model)
    with torch.no_grad():
        head.weight.copy_(posthoc.normalise_weights(head.weight, value))
        if head.bias is not None:
            head.bias.zero_()
    return 1.0, None, said


def _as_predicted(predictor, images, factor: float, shift) -> tuple:  # noqa: ANN001
    """Logits and probabilities, float64 (B, K), of images uint8 (B, 3, H, W) by mmlt's own way."""
    import torch

    from mmlt.batch import Batch

    model, places = predictor.model, torch.arange(len(images))
    with torch.inference_mode():
        batch = model.data_preprocessor(Batch(images, torch.zeros_like(places), places, places), False)
        logits = model.prediction(batch.images)['logits'].double() * factor
    logits = logits if shift is None else logits + shift
    return logits, logits.sigmoid() if predictor.several else logits.softmax(1)


def _facts(predictor, layout: str, resize: bool, correction: dict | None) -> dict[str, Any]:  # noqa: ANN001
    from mmlt.files import sha256_of
    from mmlt.priors import GROUPS, shot_groups

    view, cuts = predictor.view, predictor.thresholds
    groups = shot_groups(predictor.class_counts)
    size = 'any' if resize else f'{view.height}x{view.width}'
    return dict(
        config=predictor.config,
        checkpoint_sha256=sha256_of(predictor.checkpoint),
        task='multi_label' if predictor.several else 'single_label',
        classes=list(predictor.classes),
        class_counts=list(predictor.class_counts),
        shot_groups=dict(convention='standard', **{name: groups[name].tolist() for name in GROUPS}),
        thresholds=None if cuts is None else cuts.tolist(),
        input=dict(name='images', type='uint8', layout=layout, size=size, channels='RGB',
                   model_size=[view.height, view.width], scaled_to=view.resize),
        outputs=['logits', 'probabilities', *(['shown'] if predictor.several else [])],
        adjustment=correction,
    )  # fmt: skip


def _program(deployed, layout: str, resize: bool, predictor):  # noqa: ANN001, ANN202
    """The module as a graph, for any number of pictures and, where it scales, any size."""
    import torch

    from mmlt.errors import UserError, reason

    view, dim = predictor.view, torch.export.Dim
    sides = (2 * view.height + 5, 3 * view.width + 7) if resize else (view.height, view.width)
    example = torch.randint(0, 256, (2, *sides, 3) if layout == 'NHWC' else (2, 3, *sides), dtype=torch.uint8)
    free = {0: dim('batch')}
    if resize:
        first = 1 if layout == 'NHWC' else 2
        free.update({first: dim('height', min=2), first + 1: dim('width', min=2)})
    try:
        with torch.no_grad():
            return torch.export.export(deployed, (example,), dynamic_shapes={'images': free}, strict=False)
    except Exception as error:  # any operation of any backbone
        name = type(predictor.model.backbone).__name__
        raise UserError(
            f'{name} cannot be turned into a graph by torch.export ({reason(error)}): predict with mmlt instead.'
        ) from error


def _write_onnx(program, path: Path, facts: dict[str, Any]) -> None:  # noqa: ANN001
    import contextlib
    import io
    import warnings

    import torch

    from mmlt.errors import UserError, reason

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter('ignore')
            onnx = torch.onnx.export(program, dynamo=True, verbose=False, input_names=['images'], output_names=facts['outputs'])
    except Exception as error:  # any operation of any backbone
        raise UserError(f'the model cannot be written as ONNX ({reason(error)}): try --format torch.export.') from error
    onnx.model.metadata_props.update({key: json.dumps(value) for key, value in facts.items()})
    onnx.save(str(path))


def _write_exported(program, path: Path, facts: dict[str, Any]) -> None:  # noqa: ANN001
    import torch

    torch.export.save(program, str(path), extra_files={FACTS_FILE: json.dumps(facts)})


def arguments() -> argparse.Namespace:
    """The command line of `export`."""
    parser = argparse.ArgumentParser(
        description='Write a model as ONNX or by torch.export: uint8 pictures in, probabilities out, class names inside.'
    )
    parser.add_argument('checkpoint', metavar='CKPT', help='checkpoint of mmlt, or file of tools/publish_model.py')
    parser.add_argument('--out', metavar='FILE', help="the file (default: the config's name in the current folder)")
    parser.add_argument('--format', choices=tuple(FORMATS), help='default: by the ending of --out, else onnx')
    parser.add_argument('--layout', choices=LAYOUTS, default='NHWC', help='of the pictures (default NHWC)')
    parser.add_argument('--fixed-size', action='store_true', help="take images of the model's own size: no scaling inside")
    add_arguments(parser)
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def is_exported(path: Path) -> bool:
    """Whether a file is one that this tool wrote."""
    content = path.read_bytes()
    return b'checkpoint_sha256' in content


def export_from_arguments() -> None:
    """Export, and say how far the file agrees."""
    args = arguments()
    adjustment = from_arguments(args)
    from mmlt.apis.output import check_out
    from mmlt.engine.console import console

    ending = Path(args.out).suffix if args.out else ''
    kind = args.format or next((name for name, own in FORMATS.items() if own == ending), 'onnx')
    if args.out:
        check_out('--out', args.out, is_exported)
    done = export(args.checkpoint, args.out, kind, args.layout, not args.fixed_size, adjustment)
    facts, difference = done['facts'], done['difference']
    size = facts['input']
    pixels = 'any size' if size['size'] == 'any' else size['size']
    lines = [
        f'{done["path"]}: {done["path"].stat().st_size:,} bytes, {len(facts["classes"]):,} classes',
        f'images uint8 {size["layout"]} RGB, {pixels} -> {", ".join(facts["outputs"])}',
        f'checked by {difference["program"]} on {difference["pictures"]} pictures: on the same pixels probabilities differ '
        f'by at most {difference["probability"]:.1e}, logits by {difference["logit"]:.1e}',
    ]
    if not args.fixed_size:
        lines.append(f'cutting and scaling included, probabilities differ by at most {difference["scaled"]:.1e}')
    for line in lines:
        console.print(line, markup=False)


def main() -> None:
    """Entry point of `mmlt-export`."""
    run_tool(export_from_arguments)


if __name__ == '__main__':
    main()
