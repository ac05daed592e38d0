"""Pictures of pages, for the documentation."""

import io
import shutil
from pathlib import Path

from PIL import Image

from mmlt.errors import UserError
from mmlt.files import atomic_write

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
SCREEN, PHONE = (1120, 1500), (390, 1044)  # what is seen of the page, in CSS pixels
HEIGHT, GAP = 760, 14  # of the picture, in pixels
MOST = 120_000  # bytes
FOUND = """title => {
  const found = title && [...document.querySelectorAll('h2')].find(heading => heading.textContent.startsWith(title));
  return found ? found.getBoundingClientRect().top + scrollY - 24 : title ? -1 : 0;
}"""


def draw_page(page: str | Path, out: str | Path, section: str | None = None) -> Path:
    """Draw a page's top on a large screen in light, and on a phone in dark.

    Args:
        page: an HTML file.
        out: the JPEG.
        section: the beginning of a heading to begin at.

    Raises:
        UserError: there is no page, no such heading, no Chromium or no playwright, or the picture would be above `MOST` bytes.
    """
    page = Path(page)
    if not page.is_file():
        raise UserError(f'there is no page {page}: write it by tools/report.py or tools/compare.py.')
    if Path(out).suffix.lower() not in ('.jpg', '.jpeg'):
        raise UserError(f'--out {out}: the picture is a JPEG, let its name end in .jpg.')
    shots = _shots(page.resolve(), section)
    parts = [shot.resize((round(shot.width * HEIGHT / shot.height), HEIGHT), Image.Resampling.LANCZOS) for shot in shots]
    whole = Image.new('RGB', (sum(part.width for part in parts) + GAP, HEIGHT), (128, 134, 140))
    whole.paste(parts[0], (0, 0))
    whole.paste(parts[1], (parts[0].width + GAP, 0))
    for quality in (88, 82, 76, 70, 60):
        content = io.BytesIO()
        whole.save(content, 'JPEG', quality=quality, optimize=True)
        if content.tell() < MOST:
            return atomic_write(out, content.getvalue())
    raise UserError(f'a picture of {page} has more than {MOST:,} bytes: begin at another section.')


def _shots(page: Path, section: str | None) -> list[Image.Image]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(f'none of {", ".join(BROWSERS)} is on PATH: install Chromium to draw pages.')
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError('pages are drawn by playwright: pip install playwright.') from None
    found = []
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=['--no-sandbox'])
        for scheme, (width, height) in (('light', SCREEN), ('dark', PHONE)):
            view = dict(width=width, height=height)
            context = chromium.new_context(viewport=view, color_scheme=scheme, device_scale_factor=1.5)
            tab = context.new_page()
            tab.goto(page.as_uri())
            top = tab.evaluate(FOUND, section)
            if top < 0:
                raise UserError(f'{page} has no heading that begins with {section!r}.')
            clip = dict(x=0, y=top, width=width, height=height)
            found.append(Image.open(io.BytesIO(tab.screenshot(full_page=True, clip=clip))).convert('RGB'))
            context.close()
        chromium.close()
    return found
