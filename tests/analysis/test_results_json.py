"""results.json and per_class.csv: strict, checked and read back as written."""

import csv

import numpy
import pytest

from mmlt.analysis import results
from mmlt.analysis.results import evaluation, read_per_class_csv, read_results, write_per_class_csv, write_results
from mmlt.errors import UserError


def test_reads_back_what_was_written(tmp_path, make_record):
    record = make_record(prerequisites={'teacher': {'run': 'work_dirs/ce/x/seed0', 'checkpoint_sha256': 'cd' * 32}})
    path = write_results(tmp_path, record)
    assert read_results(path) == read_results(tmp_path) == record
    assert [file.name for file in tmp_path.iterdir()] == ['results.json']


def test_text_is_stable(tmp_path, make_record):
    record = make_record()
    text = write_results(tmp_path / 'a', record).read_text()
    shuffled = dict(reversed(record.items()))
    assert write_results(tmp_path / 'b', shuffled).read_text() == text
    assert text.endswith('}\n') and text.splitlines()[1].startswith('  "best"')


def test_further_keys_are_kept_and_shot_groups_may_be_empty(tmp_path, make_record):
    record = make_record(world_size=2, shot_groups={})
    write_results(tmp_path, record)
    assert read_results(tmp_path)['world_size'] == 2


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        ('last__metrics__nll', float('nan'), 'last.metrics.nll is nan'),
        ('best__metrics__nll', float('inf'), 'best.metrics.nll is inf'),
        ('overrides', {'lr': float('nan')}, 'overrides.lr is nan'),
        ('extra', float('inf'), 'strict JSON'),
        ('extra', object(), 'strict JSON'),
        ('finished', 1, 'finished must be bool, not 1'),
        ('seed', True, 'seed must be int or null, not True'),
        ('seed', '0', "seed must be int or null, not '0'"),
        ('data__num_images', None, 'data.num_images must be int, not None'),
        ('last', [], 'last must be an object'),
        ('best__selected_on', 'validation', 'best.selected_on must be test, holdout or null'),
        ('evaluated_epochs', [1.5], r'evaluated_epochs\[0\] must be int, not 1.5'),
        ('evaluated_epochs', {}, 'evaluated_epochs must be a list'),
        ('seed', 2**70, 'seed is a whole number of more than 64 bits'),
        ('precision', '../../x', "precision must be a word, not '../../x'"),
        ('config', '../../etc/x', 'config must be a path below configs'),
        ('config', '/etc/x', 'config must be a path below configs'),
        ('config', 'ce/../x', 'config must be a path below configs'),
        ('config', 'ce/\n', 'config must be a path below configs'),
        ('adjustment', 'tau_norm', 'adjustment must be an object or null'),
        ('adjustment', {'adjust': '../../x', 'value': 1}, 'adjustment.adjust must be a word'),
        ('adjustment', {'adjust': 'tau_norm', 'value': [1.0]}, 'adjustment.value of tau_norm must be a number'),
        ('adjustment', {'adjust': 'tau_norm', 'value': 1, 'found_on': 3}, 'adjustment.found_on must be str or null'),
        ('aggregation', {}, 'aggregation.found_on is missing'),
        ('checkpoint', 'epoch_1.pth', 'checkpoint must be an object'),
        ('checkpoint', {'file': 3, 'sha256': 'x'}, 'checkpoint.file must be str'),
        ('epochs', 'many', 'epochs must be int or null'),
        ('world_size', None, 'world_size must be int'),
        ('versions', {'torch': 2}, 'versions.torch must be str'),
        ('overrides', [], 'overrides must be an object'),
        ('shot_groups', {'convention': 'standard', 'many': '2', 'medium': 2, 'few': 0}, 'shot_groups.many must be int'),
        ('metrics', {'accuracy/top1': '60'}, 'metrics.accuracy/top1 must be int or float'),
        ('device', ['x' * 10_000], 'device must be str, not .{100,120} ...; write it again'),
        ('prerequisites', {'teacher': {'run': 'x'}}, 'prerequisites.teacher.checkpoint_sha256 is missing'),
        ('schema', 2, 'schema 2, but this version of mmlt reads schema 1'),
    ],
)
def test_invalid_record_is_refused_and_nothing_is_written(tmp_path, make_record, path, value, message):
    with pytest.raises(UserError, match=message) as caught:
        write_results(tmp_path, make_record(**{path: value}))
    assert '\n' not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_missing_key_is_named(tmp_path, make_record):
    for key in make_record():
        record = make_record()
        del record[key]
        with pytest.raises(UserError, match=f'{key} is missing'):
            write_results(tmp_path, record)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"schema": 1, "seed": NaN}', 'NaN is not a number'),
        ('{"schema": 1, "seed": -Infinity}', '-Infinity is not a number'),
        ('{"schema": 1', 'not valid JSON'),
        ('[]', 'the whole must be an object'),
        ('[' * 200_000, 'nested too deeply'),
        ('{"a":' * 200_000, 'nested too deeply'),
        ('{"schema": 1, "seed": ' + '1' * 5000 + '}', 'not valid JSON'),
        ('{"schema": [1]}', 'schema must be int'),
        ('\x00', 'not valid JSON'),
    ],
)
def test_damaged_file_is_refused(tmp_path, text, message):
    (tmp_path / 'results.json').write_text(text)
    with pytest.raises(UserError, match=message):
        read_results(tmp_path)


def test_missing_file_names_its_path(tmp_path):
    with pytest.raises(UserError, match=f'{tmp_path}/results.json'):
        read_results(tmp_path)


def test_accuracies_survive_json_exactly(tmp_path, make_record):
    value = 100 * 2 / 3
    assert (
        read_results(write_results(tmp_path, make_record(last__metrics__nll=value)))['last']['metrics']['nll'] == value
    )


def test_per_class_csv(tmp_path, per_class_rows):
    path = write_per_class_csv(tmp_path / 'per_class.csv', per_class_rows)
    with open(path, newline='') as file:
        lines = list(csv.reader(file))
    assert lines[0] == ['class', 'name', 'train_images', 'group', 'test_images', 'accuracy']
    assert lines[1] == ['0', 'a,"b"', '700', 'many', '9', '33.333333']
    assert lines[2][-1] == '' and lines[4][-1] == '0.0'
    back = read_per_class_csv(path)
    assert [row['accuracy'] for row in back] == [pytest.approx(100 / 3, abs=1e-6), None, 80.0, 0.0]
    assert [{**row, 'accuracy': 0} for row in back] == [{**row, 'accuracy': 0} for row in per_class_rows]


def test_other_csv_is_refused(tmp_path):
    (tmp_path / 'x.csv').write_text('class,accuracy\n0,1\n')
    with pytest.raises(UserError, match='not a per-class file'):
        read_per_class_csv(tmp_path / 'x.csv')
    with pytest.raises(UserError, match='no per-class file'):
        read_per_class_csv(tmp_path / 'y.csv')


HEAD = 'class,name,train_images,group,test_images,accuracy\n'


@pytest.mark.parametrize('text', [
    '', HEAD, HEAD + '0,a,7,many,9,50\n2,b,7,many,9,50\n', HEAD + '0,a,-1,many,9,50\n', HEAD + '0,a,7,many,9,101\n',
    HEAD + '0,a,7,many,9,nan\n', HEAD + '0,a,7,many\n', HEAD + '0,a,7,many,9,50,1\n', HEAD + '0,"a,7,many,9,50\n',
    HEAD + f'0,{"x" * 200_000},7,many,9,50\n', HEAD + f'0,a,{"1" * 5000},many,9,50\n', HEAD + f'0,a,{2**70},many,9,50\n',
])  # fmt: skip
def test_a_per_class_file_that_is_none(text, tmp_path):
    (tmp_path / 'x.csv').write_text(text)
    with pytest.raises(UserError, match='x.csv .*evaluate the run again') as caught:
        read_per_class_csv(tmp_path / 'x.csv')
    assert len(str(caught.value)) < 400


def test_a_per_class_file_of_bytes(tmp_path):
    (tmp_path / 'x.csv').write_bytes(HEAD.encode() + b'0,\xff,7,many,9,50\n')
    with pytest.raises(UserError, match='not a per-class file'):
        read_per_class_csv(tmp_path / 'x.csv')


def test_made_record_is_valid_and_computes_its_speed(tmp_path, make_record):
    wanted = make_record(epochs=30, world_size=1, checkpoint={'file': 'epoch_30.pth', 'sha256': 'ef' * 32}, route={})
    given = {key: value for key, value in wanted.items() if key not in ('schema', 'versions', 'wall_seconds', 'images_per_s')}
    given |= {'overrides': {'optim_wrapper.optimizer.lr': 0.1}, 'seconds': 20.04, 'images': 1234}
    given['best'] = evaluation(28, {'accuracy/top1': 62.5, 'nll': 1.4}, 'test')
    record = read_results(write_results(tmp_path, results.make_record(**given)))
    assert record['versions']['numpy'] == numpy.__version__ and 'torch' in record['versions']
    wanted |= {'overrides': {'optim_wrapper.optimizer.lr': '0.1'}, 'wall_seconds': 20.0, 'images_per_s': 61.6}
    assert record == {**wanted, 'versions': record['versions']}
