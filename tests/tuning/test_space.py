"""What a search may vary comes from the methods' own files."""

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest

from unteach.losses import ascent
from unteach.losses.answer_rows import Term
from unteach.methods import METHODS, Method, build
from unteach.methods._base import MethodDefaults, option
from unteach.tuning.space import RATE, SPREAD, WEIGHT, Space, choice_of, dimensions


class Ends:
    """A trial that takes the lower or the upper end of everything."""

    def __init__(self, method, upper):
        self.method, self.upper, self.asked = method, upper, {}

    def suggest_categorical(self, name, choices):
        self.asked[name] = choices
        return self.method if name == "method" else choices[-1 if self.upper else 0]

    def suggest_float(self, name, low, high, *, log):
        assert log
        assert 0 < low < high
        self.asked[name] = low, high
        return high if self.upper else low


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_both_ends_and_its_default_lies_between(name, upper):
    space = Space((name,), adapters=("full", "lora"), ranks=(8, 16))
    trial = Ends(name, upper)
    choice = space.choose(trial)
    assert build(name, choice.options).name == name
    default = space.default(name)
    for key, (low, high) in ((k, v) for k, v in trial.asked.items() if "." in k):
        assert low <= default[key] <= high, key
    assert ("rank" in trial.asked) == (choice.adapter == "lora")


def test_ranges_are_made_of_defaults_bounds_and_what_an_option_says():
    @dataclass(frozen=True, kw_only=True)
    class Odd(Method):
        """Odd."""

        plain: float = option(2.0, "a")
        floor: float = option(2.0, "b", low=1)
        told: float = option(0.5, "c", tried=(0.4, 0.6))
        never: float = option(0.5, "d", tried=())
        nothing: float = option(0.0, "e")
        whole: int = option(3, "f")
        word: str = option("x", "g")
        plan: ClassVar = MethodDefaults()

        def forget(self, rows):
            return [Term("forget", ascent(rows.log_odds))]

    found = {name: (d.low, d.high, d.default) for name, d in dimensions(Odd).items()}
    assert found == {"plain": (0.2, 20.0, 2.0), "floor": (1.0, 20.0, 2.0), "told": (0.4, 0.6, 0.5)}


def test_what_the_request_fixes_is_not_varied():
    fixed = Space(("npo",), rate=False, weight=False)
    assert [*fixed.ranges("npo")] == ["npo.beta"]
    assert next(iter(Space(("pdu",)).ranges("pdu"))) == f"pdu.{RATE}"
    assert f"pdu.{WEIGHT}" not in Space(("pdu",)).ranges("pdu"), "its weight moves by itself"
    assert f"retrain.{WEIGHT}" not in Space(("retrain",)).ranges("retrain")


def test_values_become_a_choice_of_three_digits():
    values = {f"npo.{RATE}": 1.23456, f"npo.{WEIGHT}": math.pi, "npo.beta": 0.098765}
    found = choice_of("npo", values, "lora", 16)
    assert (found.rate, found.weight, found.options) == (1.23, 3.14, {"beta": 0.0988})
    assert 1 / SPREAD < found.options["beta"] < 1 or found.options["beta"] == 0.0988
