"""Pictures predicted by a checkpoint alone are predicted as its test set was."""

import io
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt import apis
from mmlt.apis import Inferencer, train
from mmlt.datasets.digits import Digits
from mmlt.datasets.image_list import ImageList
from mmlt.datasets.pictures import find_pictures, see
from mmlt.datasets.views import View
from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint
from mmlt.engine.inference import Predictor
from mmlt.engine.loops import EvalLoop
from mmlt.errors import UserError
from mmlt.evaluation import posthoc

CE, SEVERAL = 'configs/ce/resnet8_digitslt.py', 'configs/multi_label/resnet8_digitsmulti_thresholds.py'
LABELS = Digits('test').labels


def logits_of_the_tool(config, checkpoint, monkeypatch, tmp_path):
    """The logits that tools/test.py makes, and its record."""
    kept, batches = [], EvalLoop.batches

    def keep(self, kind=None):
        for records in batches(self, kind):
            kept.extend(record['logits'].float().cpu() for record in records)
            yield records

    with monkeypatch.context() as patched:
        patched.setattr(EvalLoop, 'batches', keep)
        record = apis.test(config, checkpoint, work_dir=tmp_path / 'test')
    return torch.cat(kept), record


def test_names_are_functions_and_cost_nothing_until_asked_for():
    code = "import sys, mmlt.apis.main; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, '-c', code], check=True)
    assert callable(train) and callable(apis.test) and train.__name__ == 'train'
    import mmlt.apis.test as own  # the file of that name does not stand in the function's way

    assert own is apis.test
    with pytest.raises(ImportError):
        from mmlt.apis import nothing  # noqa: F401


def test_files_are_predicted_to_the_bit_as_the_test_set_is(trained, pictures, monkeypatch, tmp_path):
    logits, record = logits_of_the_tool(CE, trained('one'), monkeypatch, tmp_path)
    predictions = Inferencer(trained('one'), batch_size=len(logits))(pictures)
    assert [one.picture.rpartition('/')[2][:3] for one in predictions] == [f'{n:03}' for n in range(500)]
    probabilities = np.stack([one.probabilities for one in predictions])
    assert np.array_equal(probabilities, logits.double().softmax(1).numpy())
    right = np.mean([one.label == str(label) for one, label in zip(predictions, LABELS, strict=True)])
    assert 100 * right == pytest.approx(record.metrics['accuracy/top1'])
    assert record.checkpoint == trained('one') and '342 training images' in str(record)


def test_several_labels_are_predicted_with_the_thresholds_of_the_checkpoint(trained, monkeypatch, tmp_path):
    checkpoint = trained('many_labels')
    logits, _ = logits_of_the_tool(SEVERAL, checkpoint, monkeypatch, tmp_path)
    cuts = load_checkpoint(checkpoint)['meta']['thresholds']
    from mmlt.config.load import load_config
    from mmlt.registry import DATASETS

    data = DATASETS.build(load_config(SEVERAL).test_dataloader.dataset)
    predict = Inferencer(checkpoint, batch_size=len(data))
    predictions = predict([data.images[place] for place in range(len(data))])
    for one, row in zip(predictions, logits, strict=True):
        shown = [place for place in range(20) if row[place] >= cuts[place]]
        assert sorted(one.places) == shown
        assert one.labels == [predict.classes.names[place] for place in one.places]
        margin = (row.double() - torch.tensor(cuts)).abs().min()
        assert one.probability == pytest.approx(float(margin.sigmoid()), abs=1e-6)
    assert {len(one.places) for one in predictions} != {1}


def test_a_photograph_is_cut_as_the_data_set_cuts_it(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    for name, picture in (('wide.png', pixels), ('high.png', pixels.transpose(1, 0, 2))):
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / 'list.txt').write_text('wide.png 0\nhigh.png 1\n')
    data = ImageList(tmp_path, 'list.txt', image_size=32, resize=40)
    for place in range(2):
        assert torch.equal(View(32, 32, 40, backend='opencv')(Image.open(data.file(place))), data[place][0])


def test_an_image_of_the_models_own_size_is_seen_as_it_is():
    pixels = np.random.default_rng(1).integers(0, 256, (20, 12, 3), dtype=np.uint8)
    assert np.array_equal(View(20, 12)(Image.fromarray(pixels)).permute(1, 2, 0).numpy(), pixels)
    wide = np.concatenate([np.zeros_like(pixels), pixels, np.zeros_like(pixels)], axis=1)  # the middle is cut out
    assert np.array_equal(View(20, 12)(Image.fromarray(wide)).permute(1, 2, 0).numpy(), pixels)


def test_pictures_arrays_tensors_and_files_are_the_same(trained, pictures):
    predict = Inferencer(trained('one'))
    file = pictures / '003_0.png' if (pictures / '003_0.png').is_file() else sorted(pictures.iterdir())[3]
    picture = Image.open(file)
    array = np.array(picture)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    given = [predict(one)[0] for one in (file, str(file), picture, array, tensor, tensor[None], array[..., 0])]
    for one in given[1:]:
        assert np.array_equal(one.probabilities, given[0].probabilities)
    assert given[2].picture == 'picture 0' and predict([array, file])[1].picture == str(file)


@pytest.mark.parametrize('kind', ['turned', 'turned TIFF', 'grey of 16 bits', 'palette with transparency'])
@pytest.mark.parametrize('backend', ['opencv', 'pillow'])
def test_an_opened_picture_is_read_as_its_file(kind, backend, tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    file, exif = tmp_path / ('x.tif' if 'TIFF' in kind else 'x.png'), Image.Exif()
    exif[0x0112] = 6
    if kind == 'grey of 16 bits':
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(file)
    elif kind == 'palette with transparency':
        Image.fromarray(pixels).quantize(16).save(file, transparency=bytes(range(16)))
    else:
        Image.fromarray(pixels).save(file, exif=exif)
    view = View(16, 16, 18, backend=backend)
    for given in (Image.open(file), Image.open(file).copy()):
        assert torch.equal(see(given, 0, view).image, see(file, 0, view).image)


@pytest.mark.parametrize('backend', ['opencv', 'pillow'])
def test_an_opened_jpeg_is_decoded_as_small_as_its_file(backend, tmp_path):
    file, exif = tmp_path / 'x.jpg', Image.Exif()
    exif[0x0112] = 6
    Image.effect_mandelbrot((320, 240), (-2, -1.2, 1, 1.2), 60).convert('RGB').save(file, exif=exif)
    view = View(32, 32, 36, backend=backend)
    wanted, opened = see(file, 0, view).image, Image.open(file)
    for given in (opened, opened, Image.open(io.BytesIO(file.read_bytes()))):
        assert torch.equal(see(given, 0, view).image, wanted)
    opened.load()  # and what was painted on it since counts
    opened.paste((0, 0, 0), (0, 0, 320, 240))
    assert see(opened, 0, view).image.max() == 0
    drafted = Image.open(file)
    drafted.draft('RGB', (160, 120))
    assert (see(drafted, 0, view).image.int() - wanted.int()).abs().float().mean() < 4


def test_what_a_file_cannot_say_is_refused_of_an_opened_picture_too(tmp_path):
    values = np.arange(64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / 'x.tif')
    with Image.open(tmp_path / 'x.tif') as closed:
        pass
    for view, words in ((View(8, 8), 'from 0 to 63, which is not within 0 to 1'), (View(8, 8, max_value=63), None)):
        found = [see(one, 0, view) for one in (tmp_path / 'x.tif', Image.open(tmp_path / 'x.tif'), Image.fromarray(values))]
        for one in found:
            assert words in one.problem if words else torch.equal(one.image, found[0].image)
    assert 'cannot be read as an image' in see(closed, 0, View(8, 8)).problem


def test_what_cannot_be_read_is_told_and_the_rest_is_predicted(trained, pictures, tmp_path):
    files = sorted(pictures.iterdir())[:3]
    (tmp_path / 'broken.png').write_bytes(files[0].read_bytes()[:40])
    (tmp_path / 'text.jpg').write_text('no picture')
    named = tmp_path / 'names.txt'
    named.write_text('\n'.join(map(str, [files[0], tmp_path / 'broken.png', files[1], 'gone.png', files[2]])))
    predict = Inferencer(trained('one'), batch_size=2)
    told = predict([named, tmp_path / 'text.jpg', np.zeros((4, 4), dtype=np.float32)])
    assert [bool(one.problem) for one in told] == [False, True, False, True, False, True, True]
    assert told[3].problem == 'is missing' and 'no kind of image' in told[5].problem and 'uint8' in told[6].problem
    assert (told[1].label, told[1].probability, told[1].group, told[1].top()) == (None, None, None, [])
    alone = predict(files)
    for one, other in zip(alone, (told[0], told[2], told[4]), strict=True):
        assert np.allclose(one.probabilities, other.probabilities, rtol=0, atol=1e-6)  # another batch


def test_no_more_than_two_batches_are_in_memory(trained, pictures, monkeypatch):
    from mmlt.datasets import pictures as module

    seen, given, most = [], 0, 0
    see = module.see
    monkeypatch.setattr(module, 'see', lambda *args: (seen.append(1), see(*args))[1])
    for one in Inferencer(trained('one'), batch_size=20).stream(pictures):
        given += 1
        most = max(most, len(seen) - given)
        assert one.problem is None
    assert given == 500 and most <= 2 * 20


@pytest.mark.parametrize('prior', ['uniform', 'estimate', 'list', 'names'])
def test_priors_are_corrected_as_the_functions_do(prior, trained, pictures):
    files = sorted(map(str, pictures.iterdir()))[::4]
    plain, counts = Predictor(trained('one')), load_checkpoint(trained('one'))['meta']['class_counts']
    logits = plain.logits(torch.stack([plain.view(Image.open(file)) for file in files]))
    shares = np.linspace(1, 2, 10)
    given = {'list': shares.tolist(), 'names': dict(zip(plain.classes, shares, strict=True))}.get(prior, prior)
    predict = Inferencer(trained('one'), prior=given, batch_size=len(files))
    found = np.stack([one.probabilities for one in predict(files)])
    target = torch.full((10,), 0.1, dtype=torch.float64) if prior == 'uniform' else torch.from_numpy(shares / shares.sum())
    if prior == 'estimate':
        target = posthoc.estimate_prior(logits, counts)
        assert np.allclose(predict.estimated, target) and predict.estimated.sum() == pytest.approx(1)
        assert np.allclose(found.mean(0), target, atol=1e-6)  # a fixed point of expectation maximisation
    likelihood = logits.double().softmax(1) / torch.tensor(counts)
    posterior = likelihood * target / (likelihood * target).sum(1, keepdim=True)
    assert np.allclose(found, posterior, rtol=1e-9)


def test_a_model_balanced_in_training_is_not_corrected_twice(trained, pictures):
    files = sorted(map(str, pictures.iterdir()))[:20]
    plain, uniform = Inferencer(trained('balanced')), Inferencer(trained('balanced'), prior='uniform')
    assert plain.models[0].corrections
    for one, other in zip(plain(files), uniform(files), strict=True):
        assert np.allclose(one.probabilities, other.probabilities, rtol=1e-9)


def test_an_ensemble_is_the_mean_of_probabilities(trained, pictures, tmp_path):
    files = sorted(map(str, pictures.iterdir()))[:30]
    alone = [np.stack([one.probabilities for one in Inferencer(trained(name))(files)]) for name in ('one', 'other')]
    together = np.stack([one.probabilities for one in Inferencer([trained('one'), trained('other')])(files)])
    assert np.allclose(together, np.mean(alone, axis=0), rtol=1e-9)
    assert not np.allclose(*alone, atol=0.01)
    content = load_checkpoint(trained('other'))
    content['meta']['classes'] = list('abcdefghij')
    save_checkpoint(tmp_path / 'letters.pth', content)
    with pytest.raises(UserError, match='other classes|nobody can'):
        Inferencer([trained('one'), tmp_path / 'letters.pth'])
    with pytest.raises(UserError, match='it has 20, not 10'):
        Inferencer([trained('one'), trained('many_labels')])


def test_shot_groups_are_those_of_the_training_images(trained, pictures):
    predict = Inferencer(trained('one'), convention='lvis')
    counts = predict.classes.counts
    assert predict.classes.groups == tuple('many' if n > 100 else 'few' if n <= 10 else 'medium' for n in counts)
    one = predict(next(pictures.iterdir()))[0]
    assert one.group == predict.classes.groups[one.places[0]]
    with pytest.raises(UserError, match='mislas'):
        Inferencer(trained('one'), convention='mislas')


def test_older_checkpoints_tell_the_size_by_their_config(trained, tmp_path, pictures):
    content = load_checkpoint(trained('one'))
    new = Inferencer(trained('one'))(pictures / '000_8.png' if (pictures / '000_8.png').exists() else pictures)[:1]
    for key in ('test_view', 'task'):
        del content['meta'][key]
    save_checkpoint(tmp_path / 'older.pth', content)
    older = Inferencer(tmp_path / 'older.pth')
    assert older.models[0].view == View(8, 8) and not older.several
    assert np.array_equal(older(new[0].picture)[0].probabilities, new[0].probabilities)
    content['meta'].update(image_size=None, outcome=dict(content['meta']['outcome'], test_data=dict(image_size=48)))
    save_checkpoint(tmp_path / 'photos.pth', content)
    assert Predictor(tmp_path / 'photos.pth').view == View(48, 48, 55)
    content['meta']['outcome'] = None
    save_checkpoint(tmp_path / 'mute.pth', content)
    with pytest.raises(UserError, match='--image-size'):
        Predictor(tmp_path / 'mute.pth')
    assert Predictor(tmp_path / 'mute.pth', image_size=16).view == View(16, 16)


def test_folders_lists_and_files(tmp_path):
    for name in ('b/2.JPG', 'b/1.png', 'a.webp', '.hidden/3.png', 'b/.4.png', 'notes.md', 'b/5.HEIC', 'b/6.heic', 'b/.7.heic'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'b' / 'loop').symlink_to(tmp_path)
    assert [path.removeprefix(f'{tmp_path}/') for path in find_pictures([tmp_path])] == ['a.webp', 'b/1.png', 'b/2.JPG']
    others = Counter()
    assert len(find_pictures([tmp_path, tmp_path / 'b'], others)) == 6 and others == {'.heic': 4, '.md': 2}
    (tmp_path / 'names.txt').write_text('\ufeffb/1.png\r\n\r\n with space.png\n', encoding='utf-8')
    assert find_pictures([tmp_path / 'names.txt']) == [f'{tmp_path}/b/1.png', 'with space.png']
    both = [f'{tmp_path}/b/1.png', f'{tmp_path}/b/2.JPG']
    for name, text in (
        ('labels.txt', 'b/1.png 0\nb/2.JPG 1\n'),
        ('labels.csv', 'image,label\nb/1.png,cat\nb/2.JPG,dog\n'),
        ('bare.csv', 'file\nb/1.png\nb/2.JPG\n'),
        ('no_header.csv', 'b/1.png,0\nb/2.JPG,1\n'),
    ):
        (tmp_path / name).write_text(text)
        assert [str(path) for path in find_pictures([tmp_path / name])] == both, name
    (tmp_path / 'empty.csv').write_text('image\n')
    (tmp_path / 'phone').mkdir()
    for number in range(2):
        (tmp_path / 'phone' / f'{number}.heic').touch()
    for given, words in (
        ([tmp_path / 'empty.csv'], 'names no picture'),
        ([tmp_path / '.hidden' / 'none'], 'no file or folder'),
        ([], 'no picture'),
        ([tmp_path / 'phone'], r'no image .* below the folder .*phone, but 2 files of other kinds \(2 .heic\): convert them'),
    ):
        with pytest.raises(UserError, match=words):
            find_pictures(given)
