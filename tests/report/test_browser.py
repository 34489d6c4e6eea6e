"""report.html in Chromium, where one is installed: it is quiet, whole, and fits phone and desk."""

import re
import shutil
import subprocess

import pytest

from unteach.report import to_html, to_markdown

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="no Chromium is installed"),
]
OPENED = """<!DOCTYPE html><title>-</title><iframe src="report.html" width="{width}" height="900">
</iframe><script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument
  for (const folded of page.querySelectorAll("details")) folded.open = true
  const boxes = [...page.querySelectorAll("svg, p, li, h1, h2, figure, .scroll, pre")]
  const right = Math.max(...boxes.map((box) => box.getBoundingClientRect().right))
  document.title = `${{page.documentElement.scrollWidth}} ${{Math.ceil(right)}}`
}}
</script>"""


def browser(folder, file, *flags):
    """What a browser wrote to stdout, and what its console said."""
    asked = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
             "--virtual-time-budget=4000", *flags, (folder / file).as_uri()]  # fmt: skip
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.fixture
def page(made, found, tmp_path):
    (tmp_path / "report.html").write_text(to_html(made, found), encoding="utf-8")
    return tmp_path


def test_it_is_quiet_and_every_section_is_there(page, made):
    said, console = browser(page, "report.html", "--dump-dom")
    assert console == []
    for title in re.findall(r"^## (.*)$", to_markdown(made), re.M):
        assert f"<h2>{title}</h2>" in said
    text = (page / "report.html").read_text()
    (page / "loud.html").write_text(text.replace("</main>", "<script>1</script></main>"))
    assert browser(page, "loud.html", "--dump-dom")[1], "a script is refused aloud"


@pytest.mark.parametrize("width", [360, 390, 820, 1280])
@pytest.mark.parametrize("colours", [0, 1])
def test_nothing_stands_out_to_the_right(page, width, colours):
    (page / "frame.html").write_text(OPENED.format(width=width))
    how = f"--blink-settings=preferredColorScheme={colours}"
    said, _ = browser(page, "frame.html", "--dump-dom", how)
    wide, right = map(int, re.search(r"<title>(\d+) (\d+)</title>", said).groups())
    assert 0 < right <= wide <= width


def test_it_prints_with_all_that_is_folded(page):
    pdf = page / "report.pdf"
    browser(page, "report.html", "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    folded = (page / "report.html").read_text()
    closed = folded.replace("details::details-content", "details::nothing")
    (page / "report.html").write_text(closed)
    less = page / "less.pdf"
    browser(page, "report.html", "--no-pdf-header-footer", f"--print-to-pdf={less}")
    assert pages(pdf) >= pages(less) + 2 >= 3


def pages(pdf):
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
