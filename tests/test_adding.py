"""One new file adds a method, a metric, a suite, a selector or an attack: nothing else is edited.

The files below are put into a copy of the package, and everything that is made from the registries
must have them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from evaluation_support import write_files

import unteach

SOURCE, TESTS = Path(unteach.__file__).parent, Path(__file__).parent
NEW = {
    "methods/mine.py": '''
"""Gradient ascent, scaled."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, method, option
from unteach.types import Paper


@method("mine")
@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """Gradient ascent on every answer token, times a share that the user sets."""

    share: float = option(0.5, "factor of the loss", above=0)

    paper: ClassVar = Paper(
        title="A Share of Ascent", authors="Jo Doe", year=2026, arxiv="2601.00001", where="eq. 1"
    )

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of log p over the answer tokens."""
        return [Term("forget", ascent(rows.log_odds), "tokens", self.share)]
''',
    "metrics/hits.py": '''
"""How often the model's first choices are mostly the answer's tokens."""

from unteach.metrics._base import KNOWLEDGE, metric
from unteach.metrics.intervals import mean_score
from unteach.metrics.rows import ModelCase, answers, read
from unteach.types import Score


@metric(
    "mostly_matched",
    help="share of the answers of which most tokens are the model's first choice",
    direction=KNOWLEDGE,
    retrained="on forget, above 0: many tokens can be guessed",
    gaming="a model that is broken everywhere has 0",
)
def mostly_matched(group: str, case: ModelCase) -> Score:
    """Mean over answers of whether at least half of the tokens are matched.

    Example:
        >>> from unteach.types import Row
        >>> rows = [Row(id="a", tokens=4, logp=-1.0, matched=0.75)]
        >>> mostly_matched("forget", ModelCase({"forget": rows})).value
        1.0
    """
    matched = read(answers(case.model, group, "matched"), "matched")
    return mean_score([float(share >= 0.5) for share in matched])
''',
    "suites/towns.py": '''
"""Questions about two towns."""

from unteach.data import read_rows
from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen

OPTIONS = {"size": SuiteOption(help="how many towns", default="2", values=("1", "2"))}


def read(folder, options):
    """The groups of the suite."""
    count = int(chosen("towns", OPTIONS, options)["size"])
    rows = [{"question": f"Where is {n}?", "answer": f"{n} is in the hills."} for n in "AB"]
    return {name: Group(examples=read_rows(rows[:count], name)) for name in ("forget", "towns")}


SUITES.add(
    "towns",
    Suite(name="towns", version=1, help="Where two towns are.", read=read, options=OPTIONS),
)
''',
    "selectors/nth.py": '''
"""Select every n-th token of an answer."""

from dataclasses import dataclass

from unteach.selectors._base import Selection, Selector, selector


@selector("nth")
@dataclass(frozen=True, kw_only=True)
class Nth(Selector):
    """Selects every n-th token of each answer, from the first on.

    Attributes:
        every: distance of two selected tokens.
    """

    every: int = 2

    def choose(self, sequences, oracle, seed):
        """Yield the positions of each sequence."""
        for sequence in sequences:
            places = [k for k, is_answer in enumerate(sequence.answer) if is_answer]
            yield Selection(frozenset(places[:: self.every]))
''',
    "attacks/again.py": '''
"""Ask the same questions again."""

from dataclasses import dataclass
from typing import ClassVar

from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.types import Paper


@registered("again")
@dataclass(frozen=True, kw_only=True)
class AskAgain(Attack):
    """Query the unchanged model once more, which should recover nothing."""

    times: int = option(1, "how often", low=1)

    paper: ClassVar = Paper(
        title="Again", authors="Jo Doe", year=2026, arxiv="2601.00002", where="section 1"
    )
    keeps_utility: ClassVar = True

    def variants(self, subject):
        """One variant for each repetition."""
        return [f"time {k + 1}" for k in range(self.times)]

    def cost(self, subject):
        """As much as the plain questions, for each repetition."""
        return float(self.times)

    def attack(self, subject, wanted):
        """The rows of the model as it is."""
        model = subject.load()
        for variant in wanted:
            yield AttackOutcome(variant, subject.ask(model))
''',
}
LISTED = {
    "methods": ("mine", ("share = 0.5: factor of the loss", "A Share of Ascent", "2601.00001")),
    "metrics": ("mostly_matched", ("share of the answers", "range: 0 to 1", "high elsewhere")),
    "suites": ("towns", ("Where two towns are.", "--set size=2 [1, 2]: how many towns")),
    "selectors": ("nth", ("every n-th", "method.selector_options.every=2: distance")),
    "attacks": ("again", ("Query the unchanged", "--set again.times=1: how often", "2601.00002")),
}
QUICK = """
import json, sys
from typer.testing import CliRunner
from unteach.cli import app

found = {}
for command in json.loads(sys.argv[1]):
    found[" ".join(command)] = CliRunner().invoke(app, command).output
from unteach.attacks._base import standard_attacks
from unteach.demo.settings import methods
import metrics_page
found["attacked"], found["demo"], found["page"] = standard_attacks(), methods(), metrics_page.page()
found["torch"] = "torch" in sys.modules
print(json.dumps(found))
"""
JOINED = """
import json, sys
from pathlib import Path
import parity, unteach
from trajectory.runs import cases, series

found = {name: case for name, *case in cases() if name.startswith("mine, ")}
steps = series(*found["mine, full"], Path(sys.argv[1]))["loss"]
parities = [name for name, options in parity.cases() if not options]
print(json.dumps([list(found), parities, steps, unteach.Mine().share]))
"""

COMMANDS = """
import json, sys
from unteach.cli import main

for command in json.loads(sys.argv[1]):
    sys.argv = ["unteach", *command]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A copy of the package with the new files in it."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(SOURCE, folder / "unteach", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in NEW.items():
        (folder / "unteach" / name).write_text(text.lstrip(), encoding="utf-8")
    return folder


def python(copied: Path, *arguments) -> str:
    """What a Python process prints that imports the copy."""
    paths = (copied, TESTS, TESTS.parent / "benchmarks")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "UNTEACH_CACHE": "off",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, env=environment, cwd=copied, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_is_listed_and_explains_itself(copied):
    """All without torch, as a listing should be."""
    commands = [[name] for name in LISTED] + [[c, name] for c, (name, _) in LISTED.items()]
    found = json.loads(python(copied, "-c", QUICK, json.dumps([*commands, ["methods", "dto"]])))
    for command, (name, said) in LISTED.items():
        assert name in found[command], command
        for text in said:
            assert text in found[f"{command} {name}"], command
    assert "nth" in found["methods dto"].split("selector = delta [")[1].split("]")[0]
    assert "again" in found["attacked"]
    assert "mine" in found["demo"]
    assert "### mostly_matched\n" in found["page"]
    assert not found["torch"]


@pytest.mark.slow
def test_a_method_joins_what_is_made_from_the_registry(copied, tmp_path):
    ours, parities, steps, share = json.loads(
        python(copied, "-c", JOINED, tmp_path).splitlines()[-1]
    )
    assert ours == ["mine, full", "mine, lora"]
    assert "mine" in parities
    assert len(steps) > 2
    assert steps[-1] < steps[0]
    assert share == 0.5


@pytest.mark.slow
def test_each_passes_the_tests_of_all(copied):
    files = (TESTS / "test_every_method.py", TESTS / "metrics" / "test_every_metric.py")
    plain = (
        "-v",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-c",
        TESTS.parent / "pyproject.toml",
    )
    out = python(copied, "-m", "pytest", *plain, *files, "-k", "mine or mostly_matched")
    for name in ("[mine]", "[mostly_matched]"):
        assert f"{name} PASSED" in out


@pytest.mark.slow
def test_a_run_an_evaluation_and_an_attack_take_them(copied, tiny_folder, tmp_path):
    write_files(tmp_path)
    files = [part for role in ("forget", "retain", "holdout")
             for part in (f"--{role}", tmp_path / f"{role}.jsonl")]  # fmt: skip
    sets = ("train.epochs=1", "train.retain=none", "evaluate.max_new_tokens=4")
    run = ["run", "--model", tiny_folder, *files, "--out", tmp_path / "run", "--train-anyway"]
    run += [part for s in sets for part in ("--set", s)]
    dto = ["--method", "dto", "--set", "method.selector=nth"]
    dto += ["--set", "method.selector_options.every=3"]
    suite = ("--suite", "towns", "--set", "size=1", "--max-new-tokens", 4)
    towns = ("--model", tmp_path / "run", "--out", tmp_path / "towns")
    again = ("--attack", "again", "--original", tiny_folder, "--max-new-tokens", 4)
    where = ("--model", tmp_path / "run", *files, "--out", tmp_path / "attacks")
    commands = (
        [*run, "--method", "mine", "--set", "method.share=0.1"],
        ["explain", *run[1:7], *dto],
        ["evaluate", *towns, *suite],
        ["attack", *where, *again],
    )
    given = json.dumps([list(map(str, command)) for command in commands])
    assert "of 3 answers have none" in python(copied, "-c", COMMANDS, given)
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["models"]["unlearned"]["forget"]["mostly_matched"]["value"] is not None
    groups = json.loads((tmp_path / "towns" / "scores.json").read_text())["models"]["model"]
    assert groups["towns"]["probability"]["n"] == 1
    lines = json.loads((tmp_path / "attacks" / "attacks.json").read_text())["lines"]
    assert [line["variant"] for line in lines if line["attack"] == "again"] == ["time 1"]
