"""Pages of the documentation: links lead somewhere, and the glossary is in order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in ("docs", "notes") for page in (ROOT / folder).rglob("*.md")),
]


def anchors(page: Path) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        if name.startswith(("http:", "https:", "mailto:")):
            continue
        there = page.parent / name if name else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link
        assert DOCS not in page.parents or DOCS in there.resolve().parents, (
            f"{link}: not on the site"
        )


def test_the_glossary_is_in_order_and_says_each_word_once():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^- \*\*(.+?)\*\*", text, re.MULTILINE)
    keys = [word.lower() for word in words]
    assert len(keys) > 40
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys, key=lambda word: word.replace("-", " "))


def test_the_site_has_every_page_of_the_documentation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"^ +- .+: (\S+\.md)$", text, re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
