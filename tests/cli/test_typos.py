"""Typos in names are told before a library is loaded."""

import json
import subprocess
import sys
from dataclasses import fields
from itertools import product

import pytest

from unteach.errors import UserError
from unteach.methods import METHODS, options_of
from unteach.methods._headers import HEADERS, foresee, known, read

# Files are looked at too, as far as none of these is needed: problems come all at once.
HEAVY = ("torch", "transformers", "numpy", "scipy", "datasets")
TYPOS = {
    "run --model m --forget f --out o --method nppo": 'Did you mean "npo"',
    "run --model m --forget f --out o --method npo --set method.bta=1": 'Did you mean "beta"',
    "check --model m --forget f --out o --method npo --set method.beta=-1": "give more than 0",
    "check --model m --forget f --out o --method dto --set method.selector=dleta": '"delta"',
    "explain --model m --forget f --method dtoo": 'Did you mean "dto"',
    "size --model llama-1b --method npoo": 'Did you mean "npo"',
    "methods nppo": 'Did you mean "npo"',
    "suites tofuu": 'Did you mean "tofu"',
    "evaluate --model m --suite tufo": 'Did you mean "tofu"',
    "evaluate --model m --suite tofu --set splitt=forget01": 'Did you mean "split"',
    "run --model m --forget f --out o --set trian.epochs=3": 'Did you mean "train"',
    "run --help": "--forget",
    "methods": "unilogit",
}
PROGRAM = f"""
import contextlib, io, json, sys
from unteach.cli import main
said = {{}}
for line in json.loads(sys.argv[1]):
    sys.argv = ["unteach", *line.split()]
    with contextlib.redirect_stderr(io.StringIO()) as err, \\
            contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    loaded = [name for name in {HEAVY} if name in sys.modules]
    said[line] = [code or 0, out.getvalue() + err.getvalue(), loaded]
print(json.dumps(said))
"""


def test_typos_are_told_and_nothing_heavy_is_loaded():
    command = [sys.executable, "-c", PROGRAM, json.dumps([*TYPOS])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line, (code, text, loaded) in json.loads(done.stdout).items():
        assert TYPOS[line] in text, line
        assert code == (0 if line in ("run --help", "methods") else 2), line
        assert loaded == [], line


def test_headers_say_what_the_methods_say():
    assert known() is HEADERS
    ours = [n for n in METHODS if METHODS.get(n).__module__.startswith("unteach.methods.")]
    assert list(HEADERS) == ours
    for name in ours:
        header, real = HEADERS.get(name), METHODS.get(name)
        assert options_of(header) == options_of(real), name
        assert [f.metadata for f in fields(header)] == [f.metadata for f in fields(real)]
        for what in ("name", "__doc__", "paper", "plan", "label", "reads", "alternates"):
            assert getattr(header, what) == getattr(real, what), (name, what)
        assert ("trainable" in vars(header)) == ("trainable" in vars(real)), name
        for given in product((True, False), repeat=2):
            usual, same = (
                c.defaults_for(retain=given[0], holdout=given[1]) for c in (header, real)
            )
            assert usual == same, name
            assert header(**usual).training_defaults() == real(**usual).training_defaults(), name


def test_all_that_is_wrong_with_a_method_is_said_at_once():
    with pytest.raises(UserError) as caught:
        foresee("dto", {"slector": "delta", "draws": 0, "ratio": "x"})
    assert [p.where for p in caught.value.problems] == [
        "method.slector", "method.ratio", "method.draws",
    ]  # fmt: skip


def test_what_a_plugin_may_bring_is_left_to_it():
    foresee("mine", {}, plugins=True)
    with pytest.raises(UserError, match="not a method"):
        foresee("mine", {})


def test_a_header_that_needs_more_than_names_of_ours_is_no_header():
    text = '@method("x")\n@dataclass\nclass X(Method):\n    "X."\n    a: int = option({}, "a")\n'
    assert list(read(text.format(3))) == ["x"]
    assert read(text.format("os.cpu_count()")) == {}
