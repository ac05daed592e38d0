"""The report of a run: complete, self-contained, escaped."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from mmlt.analysis.report import write_report
from mmlt.analysis.results import write_per_class_csv, write_results
from mmlt.errors import UserError


class Page(HTMLParser):
    """Collects text, attributes and open tags of a page."""

    VOID = {'meta', 'img'}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes, self.cells = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != 'style' and data.strip():
            self.cells.append(data.strip())


def make_page(folder, record, rows):
    write_results(folder, record)
    if rows:
        write_per_class_csv(folder / 'per_class.csv', rows)
    text = write_report(folder).read_text()
    return text, Page(text)


def test_report_holds_the_run(tmp_path, make_record, per_class_rows):
    text, page = make_page(tmp_path, make_record(), per_class_rows)
    assert page.open == []
    cells = page.cells
    place = cells.index('top-1 accuracy (%)')
    assert cells[place : place + 3] == ['top-1 accuracy (%)', '60.00', '62.50']
    assert {'last (epoch 30)', 'best (epoch 28)', 'digits', '0123456789abcdef' * 4, 'torch version', '2.12.1'} <= {
        *cells
    }
    assert any('chosen on the test set' in cell for cell in cells)
    assert any('Convention standard' in cell and 'many > 100' in cell for cell in cells)
    place = cells.index('many')
    assert cells[place : place + 3] == ['many', '2', '0, 2']
    assert cells[-6:-4] == ['1', '<b>&'] and cells[-1] == '-'  # the smallest class, without a test image
    assert 'few-shot accuracy (%)' not in cells and 'nan' not in ' '.join(cells).lower()


def test_report_needs_nothing_but_itself(tmp_path, make_record, per_class_rows):
    text, page = make_page(tmp_path, make_record(), per_class_rows)
    assert not re.search(r'https?:|//\w', re.sub(r'base64,[^"]*', '', text))
    assert not {'script', 'link', 'iframe', 'a'} & set(page.tags)
    (source,) = [value for name, value in page.attributes if name in ('src', 'href')]
    with Image.open(io.BytesIO(base64.b64decode(source.removeprefix('data:image/png;base64,')))) as image:
        assert image.width > 1000


def test_everything_is_escaped(tmp_path, make_record, per_class_rows):
    evil = '<script>alert(1)</script>"\'&'
    record = make_record(config=evil, device=evil, overrides={evil: evil}, data__dataset=evil, versions={evil: evil})
    text, page = make_page(tmp_path, record, [{**row, 'name': evil} for row in per_class_rows])
    assert 'script' not in page.tags and '<script' not in text
    assert f'{evil}, seed 0' in page.cells


def test_note_says_where_best_was_chosen(tmp_path, make_record, per_class_rows):
    text, _ = make_page(tmp_path / 'a', make_record(best__selected_on='holdout'), per_class_rows)
    assert 'on a holdout' in text and 'on the test set' not in text
    text, page = make_page(tmp_path / 'b', make_record(best__selected_on=None), per_class_rows)
    assert 'chosen' not in text and not any('best' in cell for cell in page.cells)


def test_run_without_classes_or_groups_still_has_a_report(tmp_path, make_record):
    _, page = make_page(tmp_path, make_record(shot_groups={}), [])
    assert 'top-1 accuracy (%)' in page.cells and 'img' not in page.tags


def test_run_without_results_has_none(tmp_path):
    with pytest.raises(UserError, match='there are no results at'):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
