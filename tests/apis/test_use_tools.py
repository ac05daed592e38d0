"""predict, publish_model and export by their command lines."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mmlt import apis
from mmlt.apis import Inferencer
from mmlt.apis.publish import publish
from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint
from mmlt.errors import UserError

PAGE = (Path(__file__).resolve().parents[2] / 'docs/use.md').read_text(encoding='utf-8')


def rows(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def published(trained, once):
    def make(folder):
        publish(trained('one'), folder)

    (file,) = once('digits_published', make).glob('*.safetensors')
    return file


def test_predict_writes_a_line_a_picture_and_a_page(call, trained, pictures, tmp_path):
    folder = tmp_path / 'mine'
    shutil.copytree(pictures, folder / 'some, with comma')
    (folder / 'broken.jpg').write_bytes(b'\xff\xd8 no jpeg')
    (folder / 'phone.HEIC').touch()
    done = call('predict', trained('one'), folder, '--out', 'p.csv', '--page', 'p.html', '--prior', 'estimate', '--top', 3)
    assert done.code == 0, done.err
    assert '1 file of another kind (1 .heic) passed over' in done.out
    assert '1 of 501 files could not be read' in done.out and 'broken.jpg cannot be read' in done.out
    assert 'written to p.csv' in done.out and 'estimated' in done.out
    found, predict = rows('p.csv'), Inferencer(trained('one'), prior='estimate')
    assert list(found[0]) == ['image', 'label', 'probability', 'shot_group', 'label_2', 'probability_2', 'label_3',
                              'probability_3', 'problem']  # fmt: skip
    assert found[0]['label'] == '' and 'cannot be read' in found[0]['problem'] and len(found) == 501
    for row, one in zip(found, predict(folder), strict=True):
        assert row['image'] == one.picture
        if not one.problem:
            assert (row['label'], row['shot_group'], row['problem']) == (one.label, one.group, '')
            assert float(row['probability']) == pytest.approx(one.probability, abs=1e-6)
            name, value = one.top(3)[2]
            assert row['label_3'] == name and float(row['probability_3']) == pytest.approx(value, abs=1e-6)
    page = (tmp_path / 'p.html').read_text()
    good = [one for one in predict(folder) if not one.problem]
    vague = sorted(good, key=lambda one: one.probability)[:24]
    for one in vague:
        assert one.picture.rpartition('/')[2] in page
    assert page.count('data:image/') >= 24 + len({one.label for one in good}) and 'broken.jpg' in page and '<script' not in page
    # the files of the tool itself are written over, others are not
    assert call('predict', trained('one'), folder, '--out', 'p.csv', '--page', 'p.html').code == 0
    (tmp_path / 'notes.csv').write_text('a,b\n')
    done = call('predict', trained('one'), folder, '--out', 'notes.csv')
    assert done.code == 1 and 'not made by this tool' in done.err


def test_a_few_pictures_are_named_on_the_screen_and_several_labels_are_columns(call, trained, pictures, tmp_path):
    files = sorted(pictures.iterdir())[:3]
    done = call('predict', trained('one'), *files)
    assert done.code == 0 and all(file.name in done.out for file in files) and 'probability' in done.out
    done = call('predict', trained('many_labels'), *files, '--out', 'many.csv', '--page', 'many.html')
    assert done.code == 0, done.err
    predict = Inferencer(trained('many_labels'))
    for row, one in zip(rows('many.csv'), predict(files), strict=True):
        assert row['labels'] == '|'.join(one.labels)
        assert [float(row[name]) for name in predict.classes.names] == pytest.approx(one.probabilities, abs=1e-6)
    assert 'coin toss' in (tmp_path / 'many.html').read_text()


def test_predict_says_what_is_wrong(call, trained, pictures, tmp_path):
    (tmp_path / 'broken.png').write_text('nothing')
    (tmp_path / 'prior.json').write_text('{"0": 1, "eleven": 2}')
    for arguments, words in (
        (('broken.png',), 'none of the 1 pictures can be read'),
        (('nowhere',), 'no file or folder'),
        ((pictures, '--prior', 'prior.json'), "'eleven'"),
        ((pictures, '--prior', 'likely'), 'give uniform, estimate'),
        ((pictures, '--top', '0'), '--top'),
        ((pictures, '--groups', 'none'), 'no shot-group convention'),
        ((pictures, '--ensemble', trained('many_labels')), 'it has 20, not 10'),
    ):
        done = call('predict', trained('one'), *arguments, '--out', 'p.csv')
        assert done.code == 1 and words in done.err and done.err.count('\n') == 1, done.err
    assert not (tmp_path / 'p.csv').exists() or rows('p.csv')
    done = call('predict', trained('many_labels'), pictures, '--prior', 'uniform')
    assert done.code == 1 and 'several' in done.err


def test_what_is_done_before_a_kill_is_kept(trained, pictures, tmp_path):
    from mmlt.analysis.prediction_files import csv_lines

    predict = Inferencer(trained('one'))
    with pytest.raises(KeyboardInterrupt), csv_lines(tmp_path / 'p.csv', predict.classes, 2) as lines:
        for number, one in enumerate(predict.stream(pictures)):
            lines.add(one)
            if number == 9:
                raise KeyboardInterrupt
    assert len(rows(tmp_path / 'p.csv.part')) == 10 and not (tmp_path / 'p.csv').exists()


def test_a_published_model_is_small_and_taken_wherever_a_checkpoint_is(published, trained, pictures, call, tmp_path):
    files = sorted(pictures.iterdir())[:20]
    for one, other in zip(Inferencer(published)(files), Inferencer(trained('one'))(files), strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
    facts = json.loads((published.parent / 'model.json').read_text())
    assert published.name == f'ce_resnet8_digitslt-{facts["sha256"][:8]}.safetensors'
    import hashlib

    assert hashlib.sha256(published.read_bytes()).hexdigest() == facts['sha256']
    assert published.stat().st_size < 0.6 * trained('one').stat().st_size
    meta = load_checkpoint(published)['meta']
    assert meta['inference_only'] and 'history' not in meta and meta['config_hash'] == facts['config_hash']
    tested, original = (apis.test('ce/resnet8_digitslt', file, work_dir=tmp_path / 't') for file in (published, trained('one')))
    assert tested.metrics == original.metrics
    assert facts['metrics'].items() >= {key: original.metrics[key] for key in ('accuracy/top1', 'accuracy/few')}.items()
    card = (published.parent / 'README.md').read_text()
    for text in (facts['sha256'], facts['config_hash'], 'library_name: mmlt', f'{original.metrics["accuracy/top1"]:.2f} %',
                 '| 0 | 0 | 124 | many |', 'standard', 'LICENCE'):  # fmt: skip
        assert text in card, text
    # a teacher, and weights to begin with
    short = ['train_cfg.max_epochs=1', 'param_scheduler=[]']
    teacher = f'prerequisites.teacher.checkpoint={published}'
    done = call('train', 'configs/kd/resnet8_digitslt.py', '--cfg-options', *short, teacher)
    assert done.code == 0, done.err
    done = call('train', 'configs/ce/resnet8_digitslt.py', '--cfg-options', *short, f'load_from={published}')
    assert done.code == 0 and '0 not' in done.out.replace('not taken', ''), done.out + done.err


def test_a_method_with_parts_for_training_alone_is_published_without_them(tmp_path):
    from mmlt.config.load import load_config
    from mmlt.engine.finished import load_classifier
    from mmlt.plain import plain
    from mmlt.registry import MODELS

    for config in ('paco', 'ssd'):
        cfg = load_config(f'configs/{config}/resnet8_digitslt.py')
        cfg.model.head.in_channels = 64
        model = MODELS.build(cfg.model)
        model.set_class_counts(range(10, 20))
        meta = dict(model=plain(cfg.model.to_dict()), class_counts=list(range(10, 20)), classes=list('abcdefghij'),
                    image_size=[8, 8])  # fmt: skip
        save_checkpoint(tmp_path / 'whole.pth', dict(state_dict=dict(model.state_dict()), meta=meta))
        facts = publish(tmp_path / 'whole.pth', tmp_path / config)
        small = load_classifier(facts['path'])
        assert len(small.terms) == 0 and not any(name.startswith('terms.') for name in small.state_dict())
        images = torch.randn(4, 3, 8, 8)
        with torch.no_grad():
            assert torch.equal(small.eval()(images), model.eval()(images))
        if config == 'ssd':
            with pytest.raises(UserError, match='without its hard head'):
                _ = small.hard_head


def test_the_groups_of_a_card_are_those_of_its_figures(trained, tmp_path):
    content = load_checkpoint(trained('one'))
    meta = content['meta']
    meta['outcome'] = {**meta['outcome'], 'evaluator': [dict(type='ShotGroupMetric', convention='ncl')]}
    meta['history'] = [dict(epoch=meta['epoch'], metrics={'accuracy/top1': 60.0, 'accuracy/few': 9.0, 'accuracy/many': 90.0})]
    save_checkpoint(tmp_path / 'own.pth', content)
    own = publish(tmp_path / 'own.pth', tmp_path / 'one')
    assert own['shot_groups']['convention'] == 'ncl' and 'accuracy/few' in own['metrics']
    other = publish(tmp_path / 'own.pth', tmp_path / 'two', 'standard')
    assert other['shot_groups']['convention'] == 'standard' and 'accuracy/top1' in other['metrics']
    assert not any(name.endswith(('/many', '/medium', '/few')) for name in other['metrics'])


def test_a_damaged_published_file_is_refused(published, tmp_path, call, pictures):
    content = bytearray(published.read_bytes())
    content[-5] ^= 1
    (tmp_path / 'bad.safetensors').write_bytes(content)
    with pytest.raises(UserError, match='checksum differs'):
        load_checkpoint(tmp_path / 'bad.safetensors')
    (tmp_path / 'cut.safetensors').write_bytes(published.read_bytes()[:100])
    with pytest.raises(UserError, match='damaged'):
        load_checkpoint(tmp_path / 'cut.safetensors')
    save_file(load_file(published), tmp_path / 'bare.safetensors')
    done = call('predict', 'bare.safetensors', pictures)
    assert done.code == 1 and 'tensors alone' in done.err
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'README.md').write_text('my own notes')
    done = call('publish_model', published, 'mine')
    assert done.code == 1 and 'not made by this tool' in done.err


def onnx_outputs(file, images):
    onnxruntime = pytest.importorskip('onnxruntime')
    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    return session.run(None, {'images': images}), session.get_modelmeta().custom_metadata_map


def test_an_onnx_file_predicts_pictures_of_any_size_by_itself(call, published, tmp_path):
    pytest.importorskip('onnxscript')
    prior = np.linspace(1, 3, 10)
    (tmp_path / 'prior.json').write_text(json.dumps(prior.tolist()))
    done = call('export', published, '--out', 'model.onnx', '--adjust', 'prior', '--test-prior', 'prior.json')
    assert done.code == 0, done.err
    assert 'checked by onnxruntime' in done.out and 'differ by at most' in done.out
    draws, predict = np.random.default_rng(0), Inferencer(published, prior=prior.tolist())
    for shape in ((1, 8, 8, 3), (3, 8, 8, 3), (2, 20, 33, 3)):
        images = draws.integers(0, 256, shape, dtype=np.uint8)
        (logits, probabilities), facts = onnx_outputs('model.onnx', images)
        assert logits.shape == probabilities.shape == (shape[0], 10)
        wanted = np.stack([one.probabilities for one in predict(images)])
        assert np.abs(probabilities - wanted).max() < 1e-5
    assert json.loads(facts['classes']) == list('0123456789') and json.loads(facts['adjustment'])['adjust'] == 'prior'
    assert json.loads(facts['class_counts'])[0] == 124 and json.loads(facts['shot_groups'])['many'] == [0]
    # The page's example reads photos as mmlt does: upright, 16 bits by their high bytes.
    (example,) = [block for block in re.findall(r'^```python\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL) if 'onnx' in block]
    pixels, exif = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8), Image.Exif()
    exif[0x0112] = 6
    for picture, options in ((pixels, dict(exif=exif)), (pixels[..., 0].astype(np.uint16) * 257, {})):
        Image.fromarray(picture).save('photo.jpg', 'PNG', **options)
        names = {}
        exec(compile(example, 'docs/use.md', 'exec'), names)
        assert np.abs(names['probabilities'] - predict('photo.jpg')[0].probabilities).max() < 1e-5


def test_torch_export_of_several_labels_with_thresholds(call, trained):
    done = call('export', trained('many_labels'), '--out', 'model.pt2', '--layout', 'NCHW', '--fixed-size')
    assert done.code == 0 and 'checked by torch' in done.out, done.err
    extra = {'mmlt.json': ''}
    module = torch.export.load('model.pt2', extra_files=extra).module()
    facts = json.loads(extra['mmlt.json'])
    predict = Inferencer(trained('many_labels'))
    view = predict.models[0].view
    assert facts['thresholds'] == load_checkpoint(trained('many_labels'))['meta']['thresholds']
    assert facts['input']['size'] == f'{view.height}x{view.width}'
    images = torch.randint(0, 256, (5, 3, view.height, view.width), dtype=torch.uint8)
    logits, probabilities, shown = module(images)
    for one, row, marks in zip(predict(images), probabilities, shown, strict=True):
        assert np.abs(row.detach().numpy() - one.probabilities).max() < 1e-6
        assert sorted(one.places) == marks.nonzero().flatten().tolist()


@pytest.mark.parametrize('arguments, words', [
    (('--adjust', 'ncm'), 'looks at images'),
    (('--adjust', 'prior', '--test-prior', 'estimate'), 'looks at images'),
    (('--tau', '1'), 'belong to --adjust'),
])  # fmt: skip
def test_export_refuses_what_it_cannot_hold(call, trained, arguments, words):
    done = call('export', trained('one'), *arguments)
    assert done.code == 1 and words in done.err


def test_exporting_leaves_nothing_where_the_file_computes_something_else(trained, tmp_path, monkeypatch):
    from mmlt.apis import export as module
    from mmlt.apis import export_check

    monkeypatch.setattr(module, '_program', lambda *args: None)
    monkeypatch.setattr(module, '_write_exported', lambda program, path, facts: path.write_bytes(b'x'))
    monkeypatch.setattr(
        export_check, 'runner_of', lambda path, kind: (lambda images: [np.zeros((len(images), 10), np.float32)] * 2, 'nothing')
    )
    with pytest.raises(UserError, match='nothing was written'):
        module.export(trained('one'), tmp_path / 'model.pt2', 'torch.export')
    assert not list(tmp_path.iterdir())


def test_the_page_in_a_browser(trained, pictures, call, tmp_path):
    sync_api = pytest.importorskip('playwright.sync_api')
    if not (chromium := shutil.which('chromium')):
        pytest.skip('there is no chromium on the path')
    photo = Image.effect_mandelbrot((640, 480), (-2, -1.2, 1, 1.2), 60).convert('RGB')
    photo.save(tmp_path / ('a_very_long_name_' * 8 + '.jpg'))
    assert call('predict', trained('one'), pictures, tmp_path, '--page', 'p.html').code == 0
    with sync_api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        page, said = browser.new_page(viewport=dict(width=390, height=800)), []
        page.on('console', lambda message: said.append(message.text))
        page.on('pageerror', lambda error: said.append(str(error)))
        page.goto((tmp_path / 'p.html').as_uri())
        assert page.evaluate('document.documentElement.scrollWidth') <= 390 and said == []
        browser.close()
