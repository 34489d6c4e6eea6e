"""Requests that YAML allows and nobody means."""

import pytest

from unteach.errors import UserError
from unteach.settings.request import load

FLAGS = {"model": "m", "forget": "f", "out": "o"}

TEXTS = {
    "aliases": ("a: &a [1]\nb: *a\n", r":2: .*an alias"),
    "a tag": ("a: !!python/object/apply:os.system [x]\n", r":1: .*a tag"),
    "a name twice": ("seed: 1\nseed: 2\n", r":2: .*given twice"),
    "a name that is a number": ("1: 2\n", r":1: .*no text"),
    "a list as a name": ("[1]: 2\n", r":1: .*no text"),
    "nesting": ("a: " + "[" * 90_000, "within each other"),
    "a long number": ("a: " + "9" * 5000, "no such value"),
    "a large number": ("a: " + "9" * 30, "too long"),
    "infinity": ("train: {epochs: .inf}", "not finite"),
    "a number above all": ("train: {epochs: 1e999}", "not finite"),
    "half a character": ('out: "\\ud800"', "no text"),
    "NUL": ("a: 1\nb: \0", ":2: holds a NUL"),
    "NUL as escape": ('a: "\\0"', "no text"),
    "no number": ("a: !!int x", "no such value"),
    "no date": ("a: !!timestamp x", "a tag"),
    "too long": ("#" * 100_001, "more than the 100,000"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_files(case, tmp_path):
    text, message = TEXTS[case]
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / "a.yaml", FLAGS)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("literal=1", "literal: is not a setting"),
        ("train.literally=1", "is not a setting"),
        (".".join("a" * 50) + "=1", "is not a setting"),
        ("a..b=1", "is not a setting"),
        ("train.seed=99999999999", "less than 4294967296"),
        ("evaluate.also={../x: a.jsonl}", "holds a name"),
        ("train.epochs=" + "1" * 99_999, "no such value"),
        ("model=[" + "a, " * 20_000 + "b]", "got a list\n"),
    ],
)
def test_settings(setting, message):
    with pytest.raises(UserError, match=message) as caught:
        load(None, FLAGS, [setting])
    assert len(str(caught.value)) < 2000


def test_flags_that_are_no_text():
    with pytest.raises(UserError, match="--model: holds a character"):
        load(None, {**FLAGS, "model": "\udcff"})


def test_days_are_texts():
    assert load(None, FLAGS, ["out=2026-01-01"]).out.name == "2026-01-01"
