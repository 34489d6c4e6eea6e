"""docs/metrics.md is what the registries say."""

from metrics_page import PAGE, page

from unteach.metrics import COMPARISONS, METRICS


def test_the_page_is_up_to_date():
    made = PAGE.read_text(encoding="utf-8")
    assert made == page(), "run `python benchmarks/metrics_page.py`"


def test_the_page_says_all_of_each():
    text = page()
    for name in (*METRICS, *COMPARISONS):
        found = METRICS.get(name) if name in METRICS else COMPARISONS.get(name)
        entry = text.split(f"### {name}\n")[1].split("\n### ")[0]
        for said in (found.help[1:], found.retrained, found.gaming, "- should be: ", "- range: "):
            assert said in entry, name
        assert found.paper is None or found.paper.url in entry
