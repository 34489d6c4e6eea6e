"""Collections within pass over what was there before, and still free what came to be."""

import gc
import weakref

import pytest

from unteach.probes import set_aside


class Ring:
    """Refers to itself, as a model does."""

    def __init__(self):
        self.own = self


@pytest.fixture
def nothing_held():
    """The tests hold their own libraries so."""
    held = gc.get_freeze_count()
    gc.unfreeze()
    yield
    if held:
        gc.freeze()


def test_what_was_there_is_passed_over_until_the_end(nothing_held):
    before, there = weakref.ref(Ring()), Ring()
    seen = weakref.ref(there)
    with set_aside():
        assert before() is None
        del there
        within = weakref.ref(Ring())
        gc.collect()
        assert within() is None
        assert seen() is not None
    gc.collect()
    assert seen() is None


def test_what_a_caller_holds_it_goes_on_to_hold(nothing_held):
    with set_aside():
        held = gc.get_freeze_count()
        with set_aside():
            pass
        assert gc.get_freeze_count() == held > 1000
    assert gc.get_freeze_count() == 0
    with pytest.raises(ValueError, match="so"), set_aside():
        raise ValueError("so")
    assert gc.get_freeze_count() == 0
