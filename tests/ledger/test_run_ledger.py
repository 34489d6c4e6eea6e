"""`unteach run --ledger`: requests are done once the run is, and whatever cut it off is mended."""

import shutil

import pytest
from ledger.books import RECORDS, forget_file, ledger_in
from ledger.test_ledger import add
from ledger.test_ledger import call as ledger_call

from unteach.cli import run as module
from unteach.ledger import Ledger

SETS = ["--set", "train.epochs=1", "--set", "evaluate.max_new_tokens=4"]


@pytest.fixture
def place(tmp_path, tiny_folder):
    shutil.copytree(tiny_folder, tmp_path / "before")
    file = ledger_in(tmp_path)
    one = tmp_path / "one"
    one.mkdir()
    add(file, tmp_path, "R-1", forget=forget_file(one, RECORDS[:1]), received="2026-02-01")
    add(file, tmp_path, "R-2")  # of all three
    forget_file(tmp_path, RECORDS[:2])
    return tmp_path


def arguments(place, *more):
    return ["run", "--model", place / "before", "--forget", place / "forget.jsonl", "--method",
            "npo", "--out", place / "out", "--train-anyway", *SETS,
            "--ledger", place / "removals.ledger", *more]  # fmt: skip


def states(place):
    with Ledger(place / "removals.ledger") as ledger:
        return {r.reference: r.state for r in ledger.requests()}, ledger.state().last


def test_what_is_covered_is_done_and_the_same_command_changes_nothing(place, call):
    code, _, told = call(*arguments(place))
    assert code == 0, told
    assert "with records that are not in" in told
    assert "in the ledger: R-1 done" in told
    found, last = states(place)
    assert found == {"R-1": "done", "R-2": "open"}
    shown = ledger_call(place / "removals.ledger", "show", place / "out")
    assert "unlearn by npo for R-1" in shown
    assert '"request_id": "R-1"' in (place / "out" / "scores.json").read_text()
    code, _, told = call(*arguments(place))
    assert code == 0
    assert "in the ledger already: R-1" in told
    assert states(place)[1] == last


def test_a_run_cut_off_before_the_ledger_was_written_is_mended(place, call, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "recorded", killed)
        with pytest.raises(Killed):
            call(*arguments(place))
    assert states(place)[0]["R-1"] == "open"
    code, _, told = call(*arguments(place))
    assert code == 0
    assert "nothing was done again" in told
    assert states(place)[0]["R-1"] == "done"


def test_a_failed_gate_leaves_the_request_open(place, call, monkeypatch):
    monkeypatch.setattr("unteach.cli._next.gated", lambda report, command: 3)
    code, _, told = call(*arguments(place, "--gates", "given=0", "--request", "R-1"))
    assert code == 3
    assert "not recorded in the ledger, since a gate failed: R-1" in told
    assert states(place)[0]["R-1"] == "open"


def test_what_cannot_be_answered_is_refused_before_the_run(place, call):
    code, _, told = call(*arguments(place, "--request", "R-2"))
    assert code == 2
    assert "lacks 1 of its records (2)" in told
    assert call(*arguments(place, "--request", "R-9"))[0] == 2
    forget_file(place, [{"question": "Who is it?", "answer": "Nobody that anyone asked about."}])
    code, _, told = call(*arguments(place))
    assert code == 2
    assert "has all records of no open request" in told
    plain = [x for x in arguments(place, "--request", "R-1") if x != "--ledger"]
    plain.remove(place / "removals.ledger")
    code, _, told = call(*plain)
    assert code == 2
    assert "needs a ledger" in told
    assert not (place / "out").exists()
    assert states(place)[1] == 3


def test_earlier_requests_of_the_ledger_are_asked_or_named(place, call, monkeypatch):
    """R-1 is asked by its result; once its file lacks a record it is named, and not asked."""
    from unteach.report import from_json

    monkeypatch.chdir(place)
    file = place / "one" / "forget.jsonl"
    assert call(*_on(place, "before", file, "first", "--request", "R-1"))[0] == 0
    two = place / "two"
    two.mkdir()
    add(place / "removals.ledger", place, "R-3", forget=forget_file(two, RECORDS[1:2]))
    assert call(*_on(place, "first", two / "forget.jsonl", "second", "--request", "R-3"))[0] == 0
    (one,) = from_json((place / "second" / "scores.json").read_text()).earlier
    assert (one.name, one.not_asked, one.after is not None) == ("R-1", "", True)
    shutil.rmtree(place / "second")
    file.unlink()
    again = _on(place, "first", two / "forget.jsonl", "third", "--request", "R-3")
    code, printed, told = call(*again)
    assert code == 0, told
    assert "earlier request R-1: is not asked" in told
    (one,) = from_json((place / "third" / "scores.json").read_text()).earlier
    assert one.name == "R-1"
    assert "not there any more" in one.not_asked
    tuned = place / "tuned"  # the ledger alone knows where it comes from
    shutil.copytree(place / "first", tuned)
    for name in ("request.yaml", "run.json"):
        (tuned / name).unlink()
    code, _, told = call(*_on(place, "tuned", two / "forget.jsonl", "fourth", "--request", "R-3"))
    assert code == 0, told
    (one,) = from_json((place / "fourth" / "scores.json").read_text()).earlier
    assert (one.name, one.group) == ("R-1", "")
    assert "the ledger has it" in one.not_asked
    assert RECORDS[0]["answer"] not in printed + told


def _on(place, model, forget, out, *more):
    given = arguments(place, *more)
    for flag, value in (("--model", place / model), ("--forget", forget), ("--out", place / out)):
        given[given.index(flag) + 1] = value
    return given
