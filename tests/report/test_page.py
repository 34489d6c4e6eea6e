"""report.html: the same as report.md, in one page in which nothing is active."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from report.pages import Page
from test_escaping import EVIL
from test_escaping import report as named

from unteach.report import Report, fold, to_html, to_markdown
from unteach.report.answerwise import Strip, answerwise
from unteach.report.curve import BY_PASS, curve_of, curve_svg
from unteach.report.headline import headline
from unteach.report.picture import Panel
from unteach.report.rendered import rendered
from unteach.report.style import DARK, LIGHT, style
from unteach.report.svg import panel_svg, strips_svg
from unteach.types import Row, Score


@pytest.fixture(scope="module")
def text(made, found):
    return to_html(made, found)


def test_a_page_is_whole_and_says_what_it_is(text):
    page = Page(text)
    tags = Counter(tag for tag, _ in page.tags)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "<title>Unlearning report: npo</title>" in text
    assert tags["h1"] == tags["main"] == 1
    assert all(given.get("scope") in ("col", "row") for tag, given in page.tags if tag == "th")
    assert tags["svg"] == tags["figure"] >= 6
    assert tags["title"] == tags["svg"] + 1  # each picture is told in words too
    assert all(given["role"] == "img" for tag, given in page.tags if tag == "svg")
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert {g["aria-labelledby"] for t, g in page.tags if t == "svg"} == set(ids)


def test_a_page_loads_and_runs_nothing(text):
    page = Page(text)
    assert not {t for t, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form"}
    assert "@import" not in style()
    assert "url(" not in style()
    for tag, given in page.tags:
        assert not [name for name in given if name.startswith("on") or name in ("src", "style")]
        if "href" in given:
            assert tag == "a"
            assert given["href"].startswith("https://arxiv.org/abs/")
    policy = next(g["content"] for _, g in page.tags if "http-equiv" in g)
    assert policy.startswith("default-src 'none'")


def test_the_training_curve_falls_pass_by_pass_to_the_final_model(made):
    """Left to right, and higher up where more likely; dashed at the level of never seen."""
    curve = curve_of(made)
    assert curve.values == [0.97, 0.71, 0.3]
    assert curve.level == made.value("retrained", "forget", "probability")
    assert curve.written == made.value("unlearned", "forget", "probability")
    drawn = curve_svg(curve, "t0")
    dots = [tuple(map(float, at)) for at in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    assert len(dots) == 4  # three passes, and the final model
    assert [x for x, _ in dots] == sorted({x for x, _ in dots})
    heights = [y for _, y in dots]
    assert heights[:3] == sorted(set(heights[:3]))
    full, none = (next(y for y, s in ticks(drawn) if s == p) for p in ("1", "0"))
    for (_, y), p in zip(dots, [*curve.values, curve.written], strict=True):
        assert (none - y) / (none - full) == pytest.approx(p, abs=0.01)
    dashed = float(re.search(r'class="level".*?y1="([\d.]+)"', drawn)[1])
    assert (none - dashed) / (none - full) == pytest.approx(curve.level, abs=0.01)
    assert "0.97, 0.71, 0.30" in drawn


def ticks(drawn):
    """Height and text of each mark at the left edge; its baseline is 4 below its line."""
    found = re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)<', drawn)
    return [(float(y) - 4, text) for y, text in found]


@pytest.mark.parametrize("values", [None, [], [0.4], "0.4, 0.3", [0.4, "x"], [0.4, 1.2]])
def test_without_two_points_there_is_no_curve(made, values):
    facts = {**made.facts, BY_PASS: values}
    assert curve_of(replace(made, facts=facts)) is None


def words(text):
    return set(re.findall(r"[\w.]*\w", text))


def test_a_page_says_all_that_the_markdown_says(made, found):
    several = fold([made, replace(made, label="other")])
    alone = replace(made, comparisons={}, never_seen=made.models["retrained"]["forget"])
    alone = replace(alone, models={m: alone.models[m] for m in ("original", "unlearned")})
    for one in (made, several, alone, Report(models={})):
        page = Page(to_html(one, found))
        written = to_markdown(one)
        heads = re.findall(r"^## (.*)$", written, re.M)
        assert [head for head in heads if head not in page.text] == []
        ours = re.sub(r"</?details>|</?summary>|`+(yaml|bibtex)", " ", written)
        assert words(ours) <= words(page.text)
        assert "**" not in page.text
        assert "`" not in page.text


@pytest.mark.parametrize("evil", [t for t in EVIL if "\ud800" not in t])
def test_names_from_outside_make_no_tag(evil):
    """As many tags, of the same kinds, as with a plain name."""
    found = {"forget": [Row(id=evil, tokens=9, logp=-0.5)]}
    pages = {
        name: Page(to_html(named(name), {"original": found, name: found})) for name in (evil, "x")
    }
    assert [t for t, _ in pages[evil].tags] == [t for t, _ in pages["x"].tags]
    other = [{**given, "href": 0} for _, given in pages[evil].tags]
    assert other == [{**given, "href": 0} for _, given in pages["x"].tags]


@pytest.mark.parametrize("evil", EVIL)
def test_the_page_has_a_wall_of_its_own(evil):
    """Also for a name that came past the one before it."""
    plain = {"p", "strong", "em", "code", "ul", "li", "ol"}
    page = Page(rendered(f"{evil}\n\n- {evil}"))
    assert {tag for tag, _ in page.tags} <= plain
    score = Score(0.5, 9, 0.4, 0.6)
    for picture in (
        panel_svg(Panel("forget", evil, evil, {evil: score}, 0.5), "a"),
        strips_svg([Strip(evil, "other", [0.5])], (0.1, 0.2), "a"),
    ):
        drawn = {tag for tag, _ in Page(picture).tags}
        assert drawn <= {"svg", "title", "text", "line", "path", "circle", "rect"}


def test_the_headline_is_in_the_words_of_the_terminal(made):
    assert headline(made).kind == "fine"
    before = {"original": made.models["original"], "unlearned": made.models["original"]}
    same = replace(made, models={**made.models, **before}, given={**made.given})
    same.given["unlearned"] = made.given["original"]
    assert (
        headline(same).text == "Problems found: still given, not forgotten and still recognisable."
    )
    assert len(headline(same).lines) == 3
    alone = Report(models={"unlearned": {"retain": {"probability": Score(0.9)}}})
    assert headline(alone).text.startswith("Nothing was judged: it is not known whether the forget")
    kept = {"original": {"retain": {"probability": Score(0.9)}}, **alone.models}
    told = headline(Report(models=kept))
    assert told.kind == "unknown"
    assert "what should stay is kept; it is not known whether" in told.text
    assert headline(fold([made, replace(made, label="b")])).kind == "none"
    for text in (told.text, headline(made).text):
        assert not re.search("erased|anonym|compl|certif", text)


def test_single_answers_are_drawn_without_their_names():
    """One dot an answer, in the order of the scale, and the band where the holdout lies."""
    logps = (-0.1, -0.1, -3.0)
    forget = [Row(id=f"forget-{k}", tokens=9, logp=logp) for k, logp in enumerate(logps)]
    others = [Row(id=f"holdout-{k}", tokens=9, logp=-1.0 - k / 10) for k in range(20)]
    groups = {"forget": forget, "holdout": others}
    shown = answerwise({"original": groups, "unlearned": groups})
    assert [strip.name for strip in shown.strips] == ["original", "unlearned", "holdout, before"]
    assert [round(end, 3) for end in shown.band] == [0.061, 0.333]  # e^-2.8 and e^-1.1
    page = to_html(Report(models={"original": {}}), {"original": groups})
    picture = re.search(r"Answer by answer.*?</section>", page, re.S)[0]
    assert picture.count("<circle") == 3 + 20
    assert "forget-" not in picture
    places = [float(x) for x in re.findall(r'dot original" cx="([\d.]+)"', picture)]
    assert places == sorted(places)
    assert places[1] == places[2] > 0.85 * 480
    assert answerwise({}) is None
    assert answerwise({f"m{k}": groups for k in range(9)}) is None


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    lit = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * lit[0] + 0.7152 * lit[1] + 0.0722 * lit[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_all_can_be_read(colours):
    """WCAG 2.2: 4.5 for letters, 3 for what is drawn."""
    assert round(contrast("#ffffff", "#000000"), 1) == 21
    for ground in ("page", "card"):
        for name in ("text", "soft", "link", "wrong", "fine", "unknown"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("original", "retrained", "other", "soft"):
        assert contrast(colours[name], colours["card"]) >= 3, name
