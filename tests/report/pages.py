"""Reports as pages, and what a strict reader makes of a page."""

import random
from html.parser import HTMLParser

from unteach.evaluation.results import judge
from unteach.report import Report
from unteach.types import Paper, Row

VOID = {"meta", "br", "hr", "img", "input", "link"}
DRAWN = {"path", "line", "circle", "rect"}  # SVG's, which end themselves
PAPER = Paper(title="On Forgetting", authors="Ann Lee", year=2025, arxiv="2501.00001", where="1")


class Page(HTMLParser):
    """The tags in order with their attributes, and the text; fails where one is not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            assert tag not in DRAWN, f"{tag} does not end itself"
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN, f"{tag} cannot end itself"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"{tag} was never opened"
        assert self.open.pop() == tag, f"{tag} ends what it did not begin"

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def answered(role, n, nll):
    draw, found = random.Random(role), []
    for k in range(n):
        logp, tokens = round(-abs(draw.gauss(nll, 0.3 * nll + 0.05)), 2), draw.randint(5, 40)
        found.append(
            Row(id=f"{role}-{k}", tokens=tokens, logp=logp, matched=0.5, strength=0.25, zlib=99,
                reciprocal_rank=0.5, min_k=2 * logp, min_k_plus_plus=logp, min_40=logp,
                rouge_l_recall=0.5, rouge_l_f1=0.5, fact_given=logp > -0.1, verbatim=logp > -0.1,
                said_tokens=9, said_repetition=0.0, said_distinct=0.9, said_logp=-0.5)
        )  # fmt: skip
    return found


def rows(n=40, retrained=True):
    """Of an original that knows the forget answers, and others that do not."""
    levels = {"original": 0.05, "unlearned": 1.4} | ({"retrained": 1.4} if retrained else {})
    return {
        name: {
            "forget": answered("forget", n, nll),
            "retain": answered("retain", 30, 0.1),
            "holdout": answered("holdout", 30, 1.4),
        }
        for name, nll in levels.items()
    }


def report(found, **more):
    given = {
        "label": "npo",
        "papers": (PAPER,),
        "request": {"model": "m", "train": {"epochs": 10}},
        "facts": {
            "examples": {"forget": 40, "retain": 30},
            "steps": 50,
            "forget_probability_by_pass": [0.97, 0.71, 0.3],
        },
        "notes": ("see `texts.jsonl`",),
    }
    return Report(**judge(found), **{**given, **more})
