"""Every page in a real browser: no error, nothing fetched, no sideways scrolling on a phone, legible in light, dark and print.

A page of another tool joins by an entry in `PAGES`: its name, and a function that writes it into a folder.
"""

import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
from commands import call
from made_runs import RECORD, detector, make_run
from PIL import Image
from planted_photos import plant

from mmlt.analysis.diagnosis import diagnosis_page, look
from mmlt.analysis.report import write_report
from mmlt.analysis.results import write_per_class_csv, write_results
from mmlt.apis.compare import compare
from mmlt.datasets.label_files import read_labels

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
LONG = 'Some very long and_unbreakable_class_name_as_they_are'
LEAST = 7.9  # CSS pixels of the smallest text in a plot


def record(**changes):
    return copy.deepcopy(RECORD) | changes


def report(folder, **options):
    return write_report(folder, make_run(folder, record(), **options))


def student(folder):
    teacher = record(checkpoint=dict(file='epoch_30.pth', sha256='cd' * 32))
    make_run(folder / 'ce/seed0', teacher, skill=2.5, seed=1)
    needed = dict(teacher=dict(run='ce/seed0', checkpoint_sha256='cd' * 32))
    return write_report(folder / 'bkd/seed0', make_run(folder / 'bkd/seed0', record(prerequisites=needed)))


def of_detector(folder):
    keys = ('class', 'name', 'train_images', 'group', 'test_images', 'accuracy')
    values = ((0, LONG, 200, 'many', 9, 60.0), (1, 'b', 20, 'medium', 9, 40.0), (2, 'c', 3, 'few', 0, None))
    rows = [dict(zip(keys, row, strict=True)) for row in values]
    write_results(folder, detector(record()))
    write_per_class_csv(folder / 'per_class.csv', rows)
    return write_report(folder)


def comparison(folder):
    for config in 'abc':
        for seed in (0, 1):
            changes = dict(config=f'{config}/digits', seed=seed)
            make_run(folder / f'{config}{seed}', record(**changes), num_classes=12, skill=2 + seed / 10 + ord(config) % 3)
    compare([folder / f'{config}{seed}' for config in 'abc' for seed in (0, 1)], folder / 'out')
    return folder / 'out/comparison.html'


def photos(folder):
    """Class folders of unequal sizes, with a broken file and one picture twice."""
    random = np.random.default_rng(0)
    for name, number in ((LONG, 6), ('b', 3), ('c', 2)):
        (folder / name).mkdir(parents=True)
        for place in range(number):
            pixels = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((90, 60)).save(folder / name / f'{LONG}_{place}.png')
    (folder / 'c/broken.png').write_bytes(b'no picture')
    shutil.copy(folder / 'b' / f'{LONG}_0.png', folder / 'c/again.png')
    return folder


def diagnosis(folder):
    done = call('diagnose', photos(folder / 'photos'), '--page', 'diagnosis.html')
    assert done.code == 0, done
    return folder / 'diagnosis.html'


def prediction(folder):
    short = ('train_cfg.max_epochs=1', 'param_scheduler.0.milestones=[1]')
    done = call('train', 'configs/ce/resnet8_digitslt.py', '--work-dir', 'run', '--cfg-options', *short)
    assert done.code == 0, done
    done = call('predict', 'run/epoch_1.pth', photos(folder / 'photos'), '--page', 'prediction.html')
    assert done.code == 0, done
    return folder / 'prediction.html'


def of_many_classes(folder, num_classes):
    table = read_labels(plant(folder / 'photos').root)
    found = look(replace(table, classes=tuple(f'{LONG} {place}' for place in range(num_classes))), workers=1)
    found.counts[:, 4:] = 900 // np.arange(5, num_classes + 1)
    (folder / 'page.html').write_text(diagnosis_page(found, None, 'page.csv'))
    return folder / 'page.html'


PAGES = {
    'report, 10 classes and a teacher': student,
    'report, 43 classes': lambda folder: report(folder, num_classes=43, names=[f'{LONG} {c}' for c in range(43)]),
    'report, 1,000 classes': lambda folder: report(folder, num_classes=1000, per_class=3),
    'report, several labels': lambda folder: report(folder, num_classes=20, several=True),
    'report, a detector': of_detector,
    'comparison': comparison,
    'diagnosis': diagnosis,
    'diagnosis, 43 classes': lambda folder: of_many_classes(folder, 43),
    'diagnosis, 1,000 classes': lambda folder: of_many_classes(folder, 1000),
    'prediction': prediction,
}

STATE = """() => {
  const shown = element => element.getClientRects().length > 0;
  const texts = [...document.querySelectorAll('svg text')].filter(shown);
  const size = text => parseFloat(getComputedStyle(text).fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b);
  return {
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    broken: [...document.images].filter(image => !(image.complete && image.naturalWidth > 0)).map(image => image.alt),
    smallest: Math.min(...texts.map(size)),
    outside: texts.filter(text => text.getBoundingClientRect().right > innerWidth + 1
                               || text.getBoundingClientRect().left < -1).map(text => text.textContent),
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    soft: getComputedStyle(document.querySelector('.soft')).color,
    folded: [...document.querySelectorAll('details > div')].map(part => part.offsetHeight),
  };
}"""
DRAWN = """async () => {
  for (const image of document.querySelectorAll('svg image')) {
    const copy = new Image();
    copy.src = image.getAttribute('href');
    await copy.decode();
  }
}"""


@pytest.fixture(scope='module')
def browser():
    if CHROMIUM is None:
        pytest.skip('there is no chromium, chromium-browser or google-chrome on PATH')
    playwright = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        yield browser
        browser.close()


def contrast(one, other):
    """WCAG 2.1's contrast of two CSS colours `rgb(r, g, b)`."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[colour.index('(') + 1 : -1].split(',')[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize('name', PAGES)
def test_page(name, browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = PAGES[name](tmp_path).resolve()
    papers = set()
    for scheme, width in (('light', 1280), ('light', 390), ('dark', 390)):
        context = browser.new_context(viewport=dict(width=width, height=844), color_scheme=scheme, offline=True)
        page = context.new_page()
        said, asked = [], []
        page.on('console', lambda message, said=said: said.append(message.text))
        page.on('pageerror', lambda error, said=said: said.append(str(error)))
        page.on('request', lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        for opened in (False, True):
            page.evaluate('opened => document.querySelectorAll("details").forEach(part => part.open = opened)', opened)
            state = page.evaluate(STATE)
            assert state['wide'] <= 0, (scheme, width, opened)
            assert state['broken'] == [] and state['outside'] == []
            assert state['smallest'] >= LEAST
        page.evaluate(DRAWN)
        assert said == []
        assert [url for url in asked if not url.startswith('data:')] == [path.as_uri()]
        papers.add(state['paper'])
        assert contrast(state['ink'], state['paper']) >= 7 and contrast(state['soft'], state['paper']) >= 4.5
        if scheme == 'dark':
            page.evaluate('document.querySelectorAll("details").forEach(part => part.open = false)')
            assert page.pdf(format='A4').startswith(b'%PDF')
            page.emulate_media(media='print')
            printed = page.evaluate(STATE)
            assert contrast(printed['ink'], printed['paper']) >= 7 and printed['paper'] != state['paper']
            assert min(printed['folded']) > 0, 'what is folded is printed too'
        context.close()
    assert len(papers) == 2
