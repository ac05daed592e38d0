"""The report of a run: complete, self-contained, escaped; with whatever of a run's files is there."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_runs import Pictures, detector, make_run
from PIL import Image

from mmlt.analysis.report import write_report
from mmlt.analysis.report.pictures import MOST
from mmlt.analysis.results import write_per_class_csv, write_results
from mmlt.errors import UserError


class Page(HTMLParser):
    """Collects text, attributes and open tags of a page."""

    VOID = {'meta', 'img', 'path', 'circle', 'rect', 'image'}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes, self.cells, self.images, self.headings = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == 'img':
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != 'style' and data.strip():
            self.cells.append(data.strip())
            if self.open[-1] == 'h2':
                self.headings.append(data)


def page_of(folder, test_data=None):
    text = write_report(folder, test_data).read_text()
    page = Page(text)
    assert page.open == [] and 'nan' not in re.sub(r'"data:[^"]*"', '', text).lower().replace('nanometer', '')
    return text, page


def old_page(folder, record, rows):
    """The page of a run that left no full evaluation."""
    write_results(folder, record)
    if rows:
        write_per_class_csv(folder / 'per_class.csv', rows)
    return page_of(folder)


def red_and_green(uri):
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition('base64,')[2])))
    red, green, _ = np.asarray(picture.convert('RGB'))[0, 0]
    return int(red) + 256 * int(green)


def test_a_run_without_a_full_evaluation_has_its_page(tmp_path, make_record, per_class_rows):
    _, page = old_page(tmp_path, make_record(), per_class_rows)
    cells = page.cells
    place = cells.index('top-1 accuracy (%)')
    assert cells[place : place + 3] == ['top-1 accuracy (%)', '60.00', '62.50']
    assert {'last (epoch 30)', 'best (epoch 28)', 'digits', '0123456789abcdef' * 4, 'torch version', '2.12.1'} <= {
        *cells
    }
    assert any('chosen on the test set' in cell for cell in cells)
    assert any('Convention standard' in cell and 'many > 100' in cell for cell in cells)
    place = cells.index('1,104')  # training images of the many-shot classes
    assert cells[place - 2 : place + 2] == ['many', '2', '1,104', '0, 2']
    place = cells.index('<b>&', cells.index('All 4 classes'))  # the smallest class, without a test image
    assert cells[place - 1 : place + 5] == ['1', '<b>&', 'medium', '30', '0', '-']
    assert 'few-shot accuracy (%)' not in cells and 'Accuracy against class frequency' in page.headings
    assert page.headings == ['Accuracy against class frequency', 'Metrics', 'Details'] and not page.images


def test_the_page_of_a_student(tmp_path, make_record):
    teacher = make_record(config='ce/digits', checkpoint={'file': 'epoch_30.pth', 'sha256': 'cd' * 32})
    make_run(tmp_path / 'ce/seed0', teacher, skill=2.5, seed=1)
    needed = {'teacher': {'run': 'ce/seed0', 'checkpoint_sha256': 'cd' * 32}}
    data = make_run(tmp_path / 'bkd/seed0', make_record(config='bkd/digits', prerequisites=needed))
    text, page = page_of(tmp_path / 'bkd/seed0', data)
    assert page.headings == [
        'Accuracy against class frequency', 'Metrics', 'Calibration and test priors', 'Classes with the lowest accuracy',
        'Most confident mistakes', 'Confusion', 'Learning curves', 'Details',
    ]  # fmt: skip
    evaluation = json.loads((tmp_path / 'bkd/seed0/evaluation.json').read_text())
    own, theirs = evaluation['metrics']['accuracy/top1'], teacher['last']['metrics']['accuracy/top1']
    low, high = evaluation['intervals']['metrics']['accuracy/top1']
    place = page.cells.index('top-1 accuracy')
    assert page.cells[place + 1 : place + 7] == [
        f'{own:.2f}', '%', f'{low:.2f} to {high:.2f}', 'teacher', f'{theirs:.2f} (', f'{own - theirs:+.2f}',
    ]  # fmt: skip
    place = page.cells.index('top-1 accuracy (%)')
    assert page.cells[place + 1 : place + 5] == [f'{own:.2f}', f'{low:.2f} to {high:.2f}', f'{own:.2f}', f'{theirs:.2f}']
    assert text.count('teacher (mean') == 1 and 'Shot groups' in page.cells
    other = {'teacher': {'run': 'ce/seed0', 'checkpoint_sha256': 'ef' * 32}}  # the run there is not the one that was used
    make_run(tmp_path / 'bkd/seed1', make_record(config='bkd/digits', prerequisites=other))
    assert 'teacher (mean' not in page_of(tmp_path / 'bkd/seed1', data)[0]


def test_a_teacher_of_other_classes_or_images_is_named_so_and_not_subtracted(tmp_path, make_record):
    images = dict(make_record()['data'], num_images=200)
    kinds = dict(some=dict(num_classes=3), changed=dict(num_classes=10), like=dict(num_classes=10, skill=2.0))
    needed = {}
    for place, (name, made) in enumerate(kinds.items()):
        record = make_record(config='ce/digits', checkpoint={'file': 'x.pth', 'sha256': f'{place}c' * 32})
        record['test_data'] = dict(images, content_sha256='b2' * 32) if name == 'changed' else images
        make_run(tmp_path / name, record, seed=place, **made)
        needed[f'teacher.{place}'] = dict(run=name, checkpoint_sha256=f'{place}c' * 32)
    theirs = record['last']['metrics']['accuracy/top1']
    student = make_record(config='rskd/digits', prerequisites=needed, test_data=images)
    make_run(tmp_path / 'rskd', student)
    _, page = page_of(tmp_path / 'rskd')
    place = page.cells.index('teacher 1 (3 classes)')  # the head of a table
    assert page.cells[place : place + 3] == ['teacher 1 (3 classes)', 'teacher 2 (other test images)', 'teacher 3']
    place = page.cells.index('top-1 accuracy')  # its tile
    own = student['last']['metrics']['accuracy/top1']
    assert page.cells[place + 4 : place + 7] == ['teacher 3', f'{theirs:.2f} (', f'{own - theirs:+.2f}']
    tiles = page.cells[place : page.cells.index('Accuracy against class frequency')]
    assert 'teacher 1' not in tiles and 'teacher 2' not in tiles


def test_mistakes_are_shown_the_surest_first_and_by_class(tmp_path, make_record):
    data = make_run(tmp_path, make_record(), skill=2.0)
    with np.load(tmp_path / 'evaluation_images.npz') as file:
        target, predicted, sure = file['target'], file['top_classes'][:, 0], file['top_probabilities'][:, 0]
    text, _ = page_of(tmp_path, data)
    section = text.split('Most confident mistakes</h2>')[1].split('</section>')[0]
    wrong = [place for place in sorted(range(len(target)), key=lambda place: -sure[place]) if target[place] != predicted[place]]
    shown = [red_and_green(image['src']) for image in Page(section).images]
    assert shown == wrong[:24] and len(wrong) > 24
    first = Page(section).cells[Page(section).cells.index(f'class {target[wrong[0]]}') :][:3]
    assert first == [f'class {target[wrong[0]]}', f'→ class {predicted[wrong[0]]}', f'{100 * sure[wrong[0]]:.0f}\xa0%']

    section = text.split('Classes with the lowest accuracy</h2>')[1].split('</section>')[0]
    recall = [np.mean(predicted[target == c] == c) for c in range(10)]
    worst = int(np.argmin(recall))
    assert f'class {worst}: {100 * recall[worst]:.1f} %' in Page(section).cells[0]
    own = [place for place in wrong if target[place] == worst][:5]
    assert [red_and_green(image['src']) for image in Page(section).images][: len(own)] == own
    assert len(Page(text).images) <= MOST


@pytest.mark.parametrize('why', ['changed', 'absent', 'unreadable'])
def test_a_page_says_why_it_has_no_pictures(tmp_path, make_record, why):
    data = make_run(tmp_path, make_record())

    class Unreadable(Pictures):
        def __getitem__(self, place):
            raise OSError('the disk is gone')

    given = {'changed': Pictures(data.labels[::-1]), 'absent': None, 'unreadable': Unreadable(data.labels)}[why]
    text, page = page_of(tmp_path, given)
    sentence = {'changed': 'has changed', 'absent': 'not at hand', 'unreadable': 'the disk is gone'}[why]
    assert sentence in text and not page.images and 'Confusion' in page.headings


def test_other_pictures_with_the_same_labels_are_not_shown(tmp_path, make_record):
    record = make_record()
    record['test_data'] = dict(record['data'])

    class Described(Pictures):
        def fingerprint(self):
            return self.said

    data = Described(make_run(tmp_path, record).labels)
    for data.said, changed in ((record['test_data'], False), (dict(record['test_data'], content_sha256='b2' * 32), True)):
        text, page = page_of(tmp_path, data)
        assert ('has changed' in text) == changed and bool(page.images) != changed


def test_a_page_needs_nothing_but_itself(tmp_path, make_record):
    text, page = page_of(tmp_path, make_run(tmp_path, make_record()))
    assert not re.search(r'https?:|[\s"\'(]//\w', re.sub(r'base64,[^"]*', '', text))
    assert not {'script', 'link', 'iframe', 'a', 'object'} & set(page.tags)
    sources = [value for name, value in page.attributes if name in ('src', 'href')]
    assert sources and all(value.startswith('data:image/') for value in sources)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_everything_is_escaped(tmp_path, make_record):
    evil = '<script>alert(1)</script>"\'&'
    record = make_record(device=evil, overrides={evil: evil}, data__dataset=evil, versions={evil: evil})
    names = [f'{evil}{c}' for c in range(10)]
    text, page = page_of(tmp_path, make_run(tmp_path, record, names=names))
    assert 'script' not in page.tags and '<script' not in text
    assert any(f'{evil}3' in cell for cell in page.cells)


def test_note_says_where_best_was_chosen(tmp_path, make_record, per_class_rows):
    text, _ = old_page(tmp_path / 'a', make_record(best__selected_on='holdout'), per_class_rows)
    assert 'on a hold-out' in text and 'on the test set' not in text
    text, page = old_page(tmp_path / 'b', make_record(best__selected_on=None), per_class_rows)
    assert 'chosen' not in text and not any('best' in cell for cell in page.cells)


def test_run_without_classes_or_groups_still_has_a_report(tmp_path, make_record):
    _, page = old_page(tmp_path, make_record(shot_groups={}), [])
    assert 'top-1 accuracy (%)' in page.cells and 'img' not in page.tags


def test_a_file_that_cannot_be_used_is_said_and_left_out(tmp_path, make_record):
    data = make_run(tmp_path, make_record())
    (tmp_path / 'evaluation.json').write_text('{"schema": 1}')
    text, page = page_of(tmp_path, data)
    assert 'evaluation.json' in text and 'top-1 accuracy (%)' in page.cells and 'Confusion' not in page.headings
    (tmp_path / 'per_class.csv').write_text('class\n')
    text, page = page_of(tmp_path, data)
    assert 'per_class.csv' in text and 'top-1 accuracy (%)' in page.cells


def test_run_without_results_has_none(tmp_path):
    with pytest.raises(UserError, match='there are no results at'):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_images_with_several_labels(tmp_path, make_record):
    data = make_run(tmp_path, make_record(), num_classes=20, several=True)
    text, page = page_of(tmp_path, data)
    assert page.headings == [
        'Average precision against class frequency', 'Metrics', 'Precision against recall',
        'Classes with the lowest average precision', 'AUROC and F1 by class', 'Learning curves', 'Details',
    ]  # fmt: skip
    evaluation = json.loads((tmp_path / 'evaluation.json').read_text())
    precision = evaluation['per_class']['AP']
    worst = int(np.argmin(precision))
    section = text.split('Classes with the lowest average precision</h2>')[1].split('</section>')[0]
    assert Page(section).cells[0] == f'class {worst}: AP {precision[worst]:.1f} %'
    with np.load(tmp_path / 'evaluation_images.npz') as file:
        shown, probability = file['target'][:, worst] > 0, file['probabilities'][:, worst]
    first = red_and_green(Page(section).images[0]['src'])
    assert shown[first] and probability[first] == probability[shown].min()
    sixth = red_and_green(Page(section).images[min(5, shown.sum())]['src'])
    assert not shown[sixth] and probability[sixth] == probability[~shown].max()


def test_the_page_of_a_detector(tmp_path, make_record, per_class_rows):
    _, page = old_page(tmp_path, detector(make_record()), per_class_rows)
    assert page.headings == [
        'Box AP against class frequency', 'Metrics', 'Classes with the lowest average precision', 'Details',
    ]  # fmt: skip
    place = page.cells.index('box AP')
    assert page.cells[place : place + 3] == ['box AP', '40.00', '%']


def test_a_thousand_classes_stay_legible_and_small(tmp_path, make_record):
    data = make_run(tmp_path, make_record(), num_classes=1000, per_class=3, resamples=0)
    text, page = page_of(tmp_path, data)
    assert len(text) < 1_500_000
    assert 'running mean over 67 neighbours' in text and '1,000 classes are shown in 200 blocks' in text
    assert len(re.findall(r'<tr><td class="number">\d+</td><td>class', text)) == 1000
