"""The results kept in the repository, and the tables in READMEs that are made from them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmlt.analysis.evidence import owed_runs, read_published, render_owed
from mmlt.analysis.methods import GOES_ON_FROM, correction_in_name, names_in
from mmlt.analysis.results import CONFIG, json_text, read_results
from mmlt.analysis.tables import render_summary, render_table, unsourced_figures
from mmlt.errors import UserError, quoted
from mmlt.files import atomic_write

METHOD_MARKER = 'results'
SUMMARY_MARKER = 'results-summary'
OWED_MARKER = 'owed'
PAGE = Path('docs', 'results.md')  # all results, in full
PATTERN = 'results*.json'  # results.json of a run; results_<correction>.json of an evaluation beside it


def config_of(name: str) -> str:
    """`ce/resnet32_cifar100lt` from any way to write that config: a path with or without `configs/` and `.py`."""
    parts = Path(name).parts
    if 'configs' in parts:
        parts = parts[len(parts) - parts[::-1].index('configs') :]
    return '/'.join(parts).removesuffix('.py')


def collect(work_dirs: str | Path, root: str | Path) -> tuple[list[Path], list[str]]:
    """Copy every finished run's `results.json` to `configs/<method>/results/<config name>_seed<k>.json`.

    A precision other than fp32 is added to the file's name, and so is a correction: an evaluation by
    `tools/test.py --adjust --out results_<any name>.json` stands beside the run whose last checkpoint it corrects. Runs that
    are not finished, have no seed, change their config by overrides or belong to no config of the repository are left out,
    and so are evaluations of another checkpoint or without a correction.

    Args:
        work_dirs: the folder searched, with all below it.
        root: the repository.

    Returns:
        The files written, and a sentence for each run left out.

    Raises:
        UserError: there is no such folder, a file is not valid, or two runs would have the same name.
    """
    work_dirs, root = Path(work_dirs), Path(root)
    if not work_dirs.is_dir():
        raise UserError(f'there is no folder {work_dirs}: name the folder with the finished runs.')
    taken: dict[Path, tuple[Path, dict]] = {}
    skipped = []
    found = {source: read_results(source) for source in sorted(work_dirs.rglob(PATTERN))}
    runs = _runs_by_checkpoint([*_stored_records(root).values(), *found.values()])
    for source, record in found.items():
        reason = _reason_to_skip(record, root, runs)
        if reason:
            skipped.append(f'{source} is left out: {reason}.')
            continue
        target = root / 'configs' / stored_name(record)
        if target in taken and taken[target][1] != record:
            raise UserError(
                f'{taken[target][0]} and {source} are two runs of the same config, seed, precision and correction: '
                'remove one of them.'
            )
        taken[target] = source, record
    return [atomic_write(target, json_text(_without_details(record))) for target, (_, record) in taken.items()], skipped


def stored_name(record: dict[str, Any]) -> Path:
    """Where a result is kept, below `configs`."""
    config = config_of(record['config'])
    if not CONFIG.fullmatch(config) or '/' not in config:
        raise UserError(f'{quoted(record["config"])} names no config below configs, so its result has no place there.')
    method, *rest = config.split('/')
    precision = '' if record['precision'] == 'fp32' else f'_{record["precision"]}'
    correction = '_aggregated' if record.get('aggregation') else ''
    correction += correction_in_name(record.get('adjustment'))
    name = f'{"_".join(rest)}{precision}_seed{record["seed"]}{correction}.json'
    if Path(name).name != name or not name.isprintable():  # whatever a record says: one file, in that very folder
        raise UserError(f'{quoted(name)} is no name for a file: correct precision, seed and adjustment of the result.')
    return Path(method, 'results', name)


def load_stored(root: str | Path) -> dict[str, list[dict[str, Any]]]:
    """All results kept in the repository, by config; `stored_at` is the file, `first` the stored run that one goes on from.

    Raises:
        UserError: a file is not valid, lies in the wrong place, or belongs to a config that is not there.
    """
    root = Path(root)
    stored: dict[str, list[dict[str, Any]]] = {}
    records = _stored_records(root)
    runs = _runs_by_checkpoint(records.values())
    for path, record in records.items():
        reason = _reason_to_skip(record, root, runs)
        if reason is None and root / 'configs' / stored_name(record) != path:
            reason = f'its place is configs/{stored_name(record)}'
        if reason:
            raise UserError(
                f'the stored result {path} cannot stand in a table: {reason}; collect it again or remove it.'
            )
        record['stored_at'] = path.relative_to(root).as_posix()
        first = next((need for role, need in record['prerequisites'].items() if role in GOES_ON_FROM), None)
        record['first'] = first and runs.get(first['checkpoint_sha256'])
        stored.setdefault(config_of(record['config']), []).append(record)
    for path, record in records.items():
        met, at = set(), record
        while at := at['first']:
            if id(at) in met:
                raise UserError(f'the stored result {path} goes on from a run that goes on from itself: remove it.')
            met.add(id(at))
    return stored


def expected_readmes(root: str | Path) -> dict[Path, str]:
    """What every page with markers should say: `configs/*/README.md`, the top README for the summary, `docs/results.md`.

    Raises:
        UserError: a method has results but no README with markers, markers are broken, or a stored result is not valid.
    """
    root = Path(root)
    stored = load_stored(root)
    top = root / 'README.md'
    names = names_in(_read(top)) if top.is_file() else {}
    published = read_published(root)
    expected = {}
    methods = sorted(
        {config.split('/')[0] for config in stored}
        | {path.parent.name for path in (root / 'configs').glob('*/README.md')}
    )
    for method in methods:
        path = root / 'configs' / method / 'README.md'
        own = {config: records for config, records in stored.items() if config.split('/')[0] == method}
        if not path.is_file():
            raise UserError(
                f'{method} has stored results but no {path}: write it, with the lines '
                f'{_begin(METHOD_MARKER)} and {_end(METHOD_MARKER)}.'
            )
        text = replace_block(path, METHOD_MARKER, render_table(own, f'configs/{method}', names, published))
        if text is not None:
            expected[path] = text
        elif own:
            raise UserError(
                f'{method} has stored results but {path} has no place for them: add the lines '
                f'{_begin(METHOD_MARKER)} and {_end(METHOD_MARKER)}.'
            )
    page = root / PAGE
    for path, marker, text in (
        (top, SUMMARY_MARKER, render_summary(stored, names=names)),
        (page, SUMMARY_MARKER, render_table(stored, 'docs', names, published)),
        (page, OWED_MARKER, render_owed(owed_runs(root, stored), 'docs')),
    ):
        if path.is_file() and (new := replace_block(path, marker, text, expected.get(path))) is not None:
            expected[path] = new
    return expected


def rewrite(root: str | Path) -> list[Path]:
    """Bring every README's tables up to date; gives the files that changed."""
    return [atomic_write(path, text) for path, text in expected_readmes(root).items() if _read(path) != text]


def check(root: str | Path) -> None:
    """Check that every figure in a README's tables has a stored result, or a named source, behind it.

    Raises:
        UserError: naming the READMEs that are out of date, or the first line without a source.
    """
    root = Path(root)
    stale = [path.relative_to(root) for path, text in expected_readmes(root).items() if _read(path) != text]
    if stale:
        raise UserError(f'{_listed(stale)} out of date with the stored results: run python tools/results_table.py.')
    for path in [root / 'README.md', root / PAGE, *sorted((root / 'configs').glob('*/README.md'))]:
        if path.is_file():
            lines = unsourced_figures(_outside(path))
            if lines:
                raise UserError(
                    f'{path.relative_to(root)} has a figure that no stored result backs: {lines[0]!r}; '
                    'give the table a source column, or collect the run and use the markers.'
                )


def replace_block(path: Path, marker: str, content: str, text: str | None = None) -> str | None:
    """A file's text (or `text`, what it shall be) with new content between the markers, or None if it has none.

    Raises:
        UserError: a marker is there without its partner, or more than once.
    """
    found = _split(path, _read(path) if text is None else text, marker)
    if found is None:
        return None
    before, after = found
    return f'{before}{_begin(marker)}\n{content}\n{_end(marker)}{after}'


def _split(path: Path, text: str, marker: str) -> tuple[str, str] | None:
    counts = text.count(_begin(marker)), text.count(_end(marker))
    if counts == (0, 0):
        return None
    if counts != (1, 1) or text.index(_begin(marker)) > text.index(_end(marker)):
        raise UserError(f'{path} must have {_begin(marker)} and {_end(marker)} once each, in this order.')
    return text.split(_begin(marker))[0], text.split(_end(marker))[1]


def _outside(path: Path) -> str:
    text = _read(path)
    for marker in (METHOD_MARKER, SUMMARY_MARKER, OWED_MARKER):
        text = '\n'.join(_split(path, text, marker) or (text,))
    return text


def _without_details(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ('metrics', 'per_class', 'note')}


def _stored_records(root: Path) -> dict[Path, dict[str, Any]]:
    return {path: read_results(path) for path in sorted((root / 'configs').glob('*/results/*.json'))}


def _is_run(record: dict[str, Any]) -> bool:
    """A run leaves the epochs it evaluated and the best of them; an evaluation of a checkpoint has none."""
    return bool(record['evaluated_epochs'])


def _runs_by_checkpoint(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record['checkpoint']['sha256']: record for record in records if _is_run(record) and 'checkpoint' in record}


def _reason_to_skip(record: dict[str, Any], root: Path, runs: dict[str, dict[str, Any]]) -> str | None:
    config = config_of(record['config'])
    if record.get('ensemble'):
        return 'it averages several checkpoints, which is no figure of one run'
    if not _is_run(record):
        if not record.get('adjustment') and not record.get('aggregation'):
            return "it evaluates a checkpoint without a correction, and the run's own results.json has those figures"
        run = runs.get(record.get('checkpoint', {}).get('sha256'))
        if run is None:
            return 'it corrects a checkpoint that is not the last one of a run stored already or found here'
        if (run['precision'], config_of(run['config'])) != (record['precision'], config):
            return f'it corrects a run of {run["config"]} in {run["precision"]}, but with another config or precision'
    if not record['finished']:
        return 'the run is not finished'
    if record['seed'] is None:
        return 'the run has no seed'
    if _changes_outcome(record['overrides']):
        return 'the run overrides its config, so its figures are not those of the config'
    if not CONFIG.fullmatch(config) or '/' not in config or not (root / 'configs' / f'{config}.py').is_file():
        return f'there is no configs/{config}.py'
    return None


def _changes_outcome(overrides: dict[str, Any]) -> bool:
    if not overrides:
        return False
    from mmlt.config.outcome import overrides_hash  # takes seconds to import, and few runs have overrides

    return bool(overrides_hash(overrides))


def _listed(paths: Sequence[Path]) -> str:
    return f'{", ".join(map(str, paths))} {"is" if len(paths) == 1 else "are"}'


def _begin(marker: str) -> str:
    return f'<!-- {marker}:begin -->'


def _end(marker: str) -> str:
    return f'<!-- {marker}:end -->'


def _read(path: Path) -> str:
    return path.read_text(encoding='utf-8')
