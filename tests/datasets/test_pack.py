"""Packs of images: what is in one, what is read from it, how a stopped one goes on, what a damaged one says."""

import io
import os
import struct

import numpy as np
import pytest
import torch
from commands import call
from PIL import Image

from mmlt.apis import packing
from mmlt.datasets import ImageFolder, ImageList, LongTailedDataset, PackedImages
from mmlt.datasets.decode import read_rgb
from mmlt.datasets.pack import BEGIN, HEADER, Pack, header_of
from mmlt.datasets.pack_journal import RECORD, begun
from mmlt.datasets.pack_writer import Recipe, Split, small, write_pack
from mmlt.engine.loader import build_loader
from mmlt.errors import UserError


def picture(width: int, height: int, seed: int) -> Image.Image:
    low = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Splits train and val of two classes: large, small, turned and grey JPEGs, a PNG, a CMYK, a name beyond ASCII."""
    root = tmp_path_factory.mktemp('photos')
    exif = Image.Exif()
    exif[0x0112] = 6
    for split, count in (('train', 9), ('val', 4)):
        for number in range(count):
            folder = root / split / ('cat', 'dög')[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            one = picture(90 + 20 * number, 130 - 9 * number, number)
            if number == 1:
                one.save(folder / f'{number}.png')
            elif number == 2:
                one.convert('CMYK').save(folder / f'{number}.jpg')
            else:
                one.save(folder / f'{number}.jpg', quality=92, **(dict(exif=exif) if number == 3 else {}))
    return root


@pytest.fixture(scope='module')
def packed(photos, tmp_path_factory):
    file = tmp_path_factory.mktemp('packs') / 'photos.pack'
    done = call('pack_images.py', file, '--root', photos, '--side', 48, '--workers', 1)
    assert done.code == 0, done.err
    assert 'split train: 9 images of 2 classes' in done.out and 'split val: 4 images' in done.out
    return file


def test_what_is_in_a_pack(photos, packed):
    pack = Pack(packed)
    assert len(pack) == 13 and list(pack.splits) == ['train', 'val']
    for place in range(len(pack)):
        with Image.open(io.BytesIO(pack.read(place))) as stored:
            assert stored.format == 'JPEG' and list(stored.size) == pack.sizes[place].tolist() and min(stored.size) == 48
            got = np.asarray(stored).astype(int)
        upright = read_rgb(photos / pack.name(place), 'x')
        scale = 48 / min(upright.size)
        expected = upright.resize([round(side * scale) for side in upright.size], Image.Resampling.BOX)
        assert expected.size == (got.shape[1], got.shape[0])
        assert np.abs(got - np.asarray(expected)).mean() < 8, pack.name(place)
    assert pack.meta['left_out'] == [] and pack.problem_of(3) is None


def test_what_is_small_and_upright_is_kept_byte_for_byte():
    stream = io.BytesIO()
    picture(60, 40, 0).save(stream, 'JPEG')
    assert small(stream.getvalue(), Recipe(side=40), 'x') == (stream.getvalue(), 60, 40)
    assert small(stream.getvalue(), Recipe(side=39), 'x')[1:] == (58, 39)
    stream = io.BytesIO()
    picture(60, 40, 0).save(stream, 'PNG')
    content, width, height = small(stream.getvalue(), Recipe(side=99), 'x')
    assert (width, height) == (60, 40) and content[:2] == b'\xff\xd8'


def test_every_way_to_a_pack_gives_the_same_images(photos, packed, tmp_path):
    cut = dict(image_size=32, crop='random_resized', crop_area=(0.05, 0.5))
    alone, folder = PackedImages(packed, 'train', **cut), ImageFolder(photos / 'train', **cut)
    assert alone.labels.tolist() == folder.labels.tolist() and alone.classes == folder.classes == ('cat', 'dög')
    names = [f'train/{folder.path(place)} {label}\n' for place, label in enumerate(folder.labels)]
    (tmp_path / 'list.txt').write_text(''.join(names[::-1]))
    listed = ImageList(tmp_path / 'no folder', tmp_path / 'list.txt', **cut, pack=packed)
    for place in range(9):
        image, label = alone[place, 5]
        assert torch.equal(listed[8 - place, 5][0], image) and listed[8 - place][1] == label
    assert listed.problems() == [] and alone.problems() == []
    assert PackedImages(packed, 'val').name == 'val'
    with pytest.raises(UserError, match="the pack has several splits; set split to one of train, val"):
        PackedImages(packed)
    with pytest.raises(UserError, match=r'lacks 9 of 9 images, .*cat/0.jpg for one \(its own paths begin with train/cat/'):
        ImageFolder(photos / 'train', pack=packed)


def test_a_pack_says_what_it_is(photos, packed, tmp_path):
    data = PackedImages(packed, 'train')
    found = data.fingerprint()
    assert found['content'] == 'names and checksums of all 9 images in a pack (JPEGs of short side 48, quality 90)'
    again = tmp_path / 'again.pack'
    assert call('pack_images.py', again, '--root', photos, '--side', 48, '--workers', 2).code == 0
    assert again.read_bytes() == packed.read_bytes()  # any number of processes
    other = tmp_path / 'other.pack'
    assert call('pack_images.py', other, '--root', photos, '--side', 40, '--workers', 1).code == 0
    assert PackedImages(other, 'train').fingerprint()['content_sha256'] != found['content_sha256']
    thinned = LongTailedDataset(data, profile='natural')
    assert thinned.fingerprint()['content'].startswith(f'names and checksums of all {len(thinned)} images')


def test_workers_read_a_pack(packed):
    cfg = dict(dataset=PackedImages(packed, 'train', image_size=24), batch_size=4)
    batches = [list(build_loader(dict(cfg, num_workers=workers), 1, True)) for workers in (0, 2)]
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.targets, other.targets)


def splits_of(photos) -> list[Split]:
    data = ImageFolder(photos / 'train', image_size=1)
    return [Split('train', [data.path(place) for place in range(9)], data.labels, data.classes)]


class Stop(Exception):
    pass


@pytest.mark.parametrize('damage', ['none', 'data behind the journal', 'data lost', 'half a record'])
def test_a_stopped_pack_goes_on(photos, tmp_path, damage):
    whole, file = tmp_path / 'whole.pack', tmp_path / 'x.pack'
    write_pack(whole, photos / 'train', splits_of(photos), Recipe(48), 1, False)

    def stop(done: int, size: int) -> None:
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        write_pack(file, photos / 'train', splits_of(photos), Recipe(48), 1, False, stop)
    partial, journal = tmp_path / 'x.pack.partial', tmp_path / 'x.pack.partial.journal'
    assert not file.exists() and partial.exists()
    if damage == 'data behind the journal':
        partial.write_bytes(partial.read_bytes() + b'x' * 999)
    if damage == 'data lost':
        os.truncate(partial, partial.stat().st_size - 3)
    if damage == 'half a record':
        os.truncate(journal, journal.stat().st_size - 7)
    seen = []
    write_pack(file, photos / 'train', splits_of(photos), Recipe(48), 1, False, lambda done, size: seen.append(done))
    assert file.read_bytes() == whole.read_bytes() and seen[0] == (6 if damage in ('none', 'data behind the journal') else 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['whole.pack', 'x.pack']


@pytest.mark.parametrize('synced', [2**27, 4000], ids=['one window', 'many windows'])
@pytest.mark.parametrize('lost', ['end', 'page', 'journal'])
def test_what_a_machine_lost_in_a_crash_is_made_again(tmp_path, monkeypatch, lost, synced):
    """Of what was written since the last synchronisation any pages may be missing: they read as zeros."""
    root, stopped_at, hole = tmp_path / 'all', 390, 100
    root.mkdir()
    for number in range(5):
        picture(9, 7, number).save(root / f'{number}.jpg', quality=50)
    for number in range(5, 400):
        os.link(root / f'{number % 5}.jpg', root / f'{number}.jpg')
    splits = [Split('all', [f'{number}.jpg' for number in range(400)], np.zeros(400, dtype=np.int64), ['one'])]
    whole, file = tmp_path / 'whole.pack', tmp_path / 'x.pack'
    write_pack(whole, root, splits, Recipe(48), 1, False)

    def stop(done: int, size: int) -> None:
        if done == stopped_at:
            raise Stop

    with pytest.raises(Stop):
        write_pack(file, root, splits, Recipe(48), 1, False, stop)
    partial, journal = tmp_path / 'x.pack.partial', tmp_path / 'x.pack.partial.journal'
    records = [RECORD.unpack_from(journal.read_bytes(), 32 + RECORD.size * number) for number in range(stopped_at)]
    content, log = bytearray(partial.read_bytes()), bytearray(journal.read_bytes())
    begin = records[hole - 1][0]
    if lost == 'end':
        content[begin:] = bytes(len(content) - begin)
    if lost == 'page':
        content[begin + 1 : begin + 3] = bytes(2)
    if lost == 'journal':
        log[32 + RECORD.size * hole : 32 + RECORD.size * (hole + 5)] = bytes(RECORD.size * 5)
    partial.write_bytes(content)
    journal.write_bytes(log)
    monkeypatch.setattr('mmlt.datasets.pack_journal.SYNCED', synced)
    known = begun(partial, journal, bytes(log[:32]))
    certain = lost == 'page' and synced == 4000  # further back than a synchronisation: the disk has that for certain
    assert known == records[: stopped_at if certain else hole]
    if not certain:
        write_pack(file, root, splits, Recipe(48), 1, False)
        assert file.read_bytes() == whole.read_bytes()


def test_what_is_gone_on_with_is_on_the_disk_first(photos, tmp_path, monkeypatch):
    """A killed process leaves behind what no disk has yet; the journal counts on at most so much of that."""

    def stop(done: int, size: int) -> None:
        if done == 5:
            raise Stop

    with pytest.raises(Stop):
        write_pack(tmp_path / 'x.pack', photos / 'train', splits_of(photos), Recipe(48), 1, False, stop)
    partial = tmp_path / 'x.pack.partial'
    synced = []
    monkeypatch.setattr(os, 'fsync', lambda number: synced.append((os.fstat(number).st_ino, os.fstat(number).st_size)))
    with pytest.raises(Stop):
        write_pack(tmp_path / 'x.pack', photos / 'train', splits_of(photos), Recipe(48), 1, False,
                   lambda done, size: stop(5, size))  # fmt: skip
    assert synced[0][0] == partial.stat().st_ino and 128 < synced[0][1] < partial.stat().st_size


def test_another_pack_is_not_gone_on_with(photos, tmp_path):
    def stop(done: int, size: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        write_pack(tmp_path / 'x.pack', photos / 'train', splits_of(photos), Recipe(48), 1, False, stop)
    with pytest.raises(UserError, match='beginning of a pack of other images, or of another side'):
        write_pack(tmp_path / 'x.pack', photos / 'train', splits_of(photos), Recipe(50), 1, False)


def test_broken_images_stop_the_work_or_are_left_out(photos, tmp_path):
    for number in range(3):
        (tmp_path / 'all/cat').mkdir(parents=True, exist_ok=True)
        picture(70, 60, number).save(tmp_path / f'all/cat/{number}.jpg')
    (tmp_path / 'all/cat/1.jpg').write_bytes(b'half')
    file = tmp_path / 'x.pack'
    done = call('pack_images.py', file, '--root', tmp_path / 'all', '--workers', 1)
    assert done.code == 1 and 'cat/1.jpg cannot be read as an image' in done.err and 'goes on from here' in done.err
    assert not file.exists()
    done = call('pack_images.py', file, '--root', tmp_path / 'all', '--workers', 1, '--on-broken', 'skip')
    assert done.code == 0 and 'left out: cat/1.jpg' in done.out
    assert [Pack(file).name(place) for place in range(2)] == ['cat/0.jpg', 'cat/2.jpg'] and len(Pack(file)) == 2
    skipping = ImageFolder(tmp_path / 'all', image_size=32, pack=file, on_broken='skip')
    assert skipping.skipped == {'broken images': 1} and torch.equal(skipping[1][0], PackedImages(file, image_size=32)[1][0])
    assert call('pack_images.py', file, '--root', tmp_path / 'all').code == 1  # it is there already


def damaged(packed, tmp_path, change) -> str:
    content = bytearray(packed.read_bytes())
    content = change(content) or content
    (tmp_path / 'damaged.pack').write_bytes(bytes(content))
    with pytest.raises(UserError) as error:
        Pack(tmp_path / 'damaged.pack')
    assert str(error.value).startswith(str(tmp_path / 'damaged.pack')) and str(error.value).endswith('tools/pack_images.py.')
    return str(error.value)


def test_damage_is_one_sentence(packed, tmp_path):
    assert 'it begins otherwise' in damaged(packed, tmp_path, lambda content: b'GIF89a' + content)
    assert 'it begins otherwise' in damaged(packed, tmp_path, lambda content: b' ')
    assert 'where its header says' in damaged(packed, tmp_path, lambda content: content[:-5])
    assert 'where its header says' in damaged(packed, tmp_path, lambda content: content[:200])
    assert damaged(packed, tmp_path, lambda content: content[:30])

    def flip(at: int):
        def change(content: bytearray) -> None:
            content[at] ^= 4

        return change

    assert 'another checksum' in damaged(packed, tmp_path, flip(-9))
    assert 'of version 5' in damaged(packed, tmp_path, flip(8))
    header = HEADER.unpack(packed.read_bytes()[: HEADER.size])
    for at in range(16, HEADER.size):  # every byte of what the header states
        damaged(packed, tmp_path, flip(at))
    with pytest.raises(UserError, match='there is no pack .*none.pack'):
        Pack(tmp_path / 'none.pack')
    assert header[3] == 13


def test_an_index_that_lies_is_refused_though_its_checksum_fits(packed, tmp_path):
    content = packed.read_bytes()
    _, _, _, count, start, length, meta_bytes, _ = HEADER.unpack(content[: HEADER.size])
    table = -(-meta_bytes // 8) * 8

    def lying(at: int, value: bytes, count: int = count, meta: int = meta_bytes) -> str:
        index = bytearray(content[start:])
        index[at : at + len(value)] = value
        head = header_of(count, start, bytes(index), meta)
        return damaged(packed, tmp_path, lambda _: head + content[BEGIN:start] + bytes(index))

    far = struct.pack('<Q', 2**63 + 5)
    assert 'one behind another' in lying(table, far)
    assert 'one behind another' in lying(table + 8 * 5, struct.pack('<Q', 0))
    assert 'one behind another' in lying(table + 8 * (count - 1), struct.pack('<Q', start + 1))
    assert 'classes that are not there' in lying(length - 8, struct.pack('<q', 2))
    assert 'classes that are not there' in lying(length - 8, struct.pack('<q', -1))
    assert lying(0, b'[') and lying(2, b'\xff') and lying(0, b'', meta=meta_bytes - 1)
    assert lying(0, b'', count=count * 1000) and lying(0, b'', count=length // 8)


def test_checking_finds_a_changed_byte(packed, tmp_path):
    assert 'all 13 images are whole' in call('pack_images.py', packed, '--check', '--workers', 2).out
    content = bytearray(packed.read_bytes())
    content[int(Pack(packed).ends[3]) - 40] ^= 1
    (tmp_path / 'x.pack').write_bytes(content)
    done = call('pack_images.py', tmp_path / 'x.pack', '--check', '--workers', 1)
    assert done.code == 1 and '1 of the 13 images' in done.err and 'has another checksum' in done.err
    data = PackedImages(tmp_path / 'x.pack', 'train', check='pixels')
    assert len(data.problems()) == 1 and f'has another checksum in the pack {tmp_path}/x.pack' in data.problems()[0]
    assert len(PackedImages(tmp_path / 'x.pack', 'train', on_broken='skip')) == 8


def test_a_pack_that_shrinks_while_it_is_read_ends_no_process(packed, tmp_path):
    file = tmp_path / 'x.pack'
    file.write_bytes(packed.read_bytes())
    data = PackedImages(file, 'train', image_size=16)
    os.truncate(file, 300)
    with pytest.raises(UserError, match='has become shorter'):
        data[8]


@pytest.mark.parametrize('arguments', [[], ['--root', 'x', '--check'], ['--root', 'x', '--quality', '0']])
def test_wrong_commands(arguments, tmp_path):
    assert call('pack_images.py', tmp_path / 'x.pack', *arguments).code == 1


def test_a_split_without_a_rare_class_keeps_the_numbers_of_the_others(tmp_path):
    for split, names in (('train', 'abc'), ('test', 'ac')):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new('RGB', (8, 8)).save(tmp_path / split / name / '0.png')
    train, test = packing.splits_of(tmp_path, [])
    assert list(train.classes) == list(test.classes) == ['a', 'b', 'c'] and list(test.labels) == [0, 2]
