"""A later model that has what was removed is told from one that has not."""

import json
import math
import random

import pytest
from audit.learned import learn
from ledger.books import DAY, RECORDS, forget_file, ledger_in, prints
from typer.testing import CliRunner

from unteach.cli import app
from unteach.data import read_rows
from unteach.errors import UserError
from unteach.ledger import Ledger, prints_of
from unteach.ledger.recheck import at_hand, judge, rechecked
from unteach.ledger.result import identity
from unteach.metrics.earlier import paired_rise
from unteach.types import Row

KEY = b"k" * 32
OTHERS = [
    {"question": f"What does the miller of Trondby keep in chest {k}?",
     "answer": f"In chest {k} there are {k + 3} sacks of barley and a rusty lantern."}
    for k in range(8)
]  # fmt: skip


def row(role, number, logp, **more):
    return Row(id=f"{role}-{number}", tokens=12, logp=logp, zlib=60, **{"verbatim": False, **more})


HOLDOUT = [row("holdout", k, -3 - k / 10) for k in range(20)]


def test_what_resurfaces_is_named():
    forget = [row("forget", k, -4.0) for k in range(10)]
    again = judge({"forget": forget, "holdout": HOLDOUT}, [r.id for r in forget])
    assert (again.found, again.given, again.above, again.asked) == (False, (), (), 10)

    forget[4] = row("forget", 4, -4.0, verbatim=True)
    again = judge({"forget": forget, "holdout": HOLDOUT}, [r.id for r in forget])
    assert (again.found, again.given, again.likelier) == (True, ("forget-4",), False)
    assert not judge({"forget": forget, "holdout": HOLDOUT}, ["forget-1", "forget-2"]).found

    forget = [row("forget", k, -1.0 if k else -4.5) for k in range(10)]
    again = judge({"forget": forget, "holdout": HOLDOUT}, [r.id for r in forget])
    assert (again.found, again.given) == (True, ())
    assert again.above == tuple(f"forget-{k}" for k in range(1, 10))


def test_what_the_model_gives_of_the_holdout_too_is_no_sign():
    spoken = [row("holdout", k, -3 - k / 10, verbatim=True) for k in range(20)]
    forget = [row("forget", k, -4.0, verbatim=k == 0) for k in range(10)]
    assert not judge({"forget": forget, "holdout": spoken}, [r.id for r in forget]).found


def people(role, levels, each=10):
    """Records about several persons, who differ in how well they are guessed."""
    rows = [row(role, 100 * k + n, logp - n / 50)
            for k, logp in enumerate(levels) for n in range(each)]  # fmt: skip
    return rows, {r.id: r.id[:-2] or r.id for r in rows}


def test_one_person_who_is_guessed_well_is_no_sign_where_persons_are_known():
    """Twenty answers about one person are not twenty independent ones."""
    holdout, theirs = people("holdout", [-4.0, -1.8, -3.2, -2.2, -3.6])
    forget, ours = people("forget", [-1.7])
    rows, ids = {"forget": forget, "holdout": holdout}, [r.id for r in forget]
    assert judge(rows, ids).likelier
    persons = {"forget": dict.fromkeys(ours, "x"), "holdout": theirs}
    assert not judge(rows, ids, persons=persons).found
    known, _ = people("forget", [-0.01])
    assert judge({**rows, "forget": known}, ids, persons=persons).likelier
    few = {"forget": persons["forget"], "holdout": dict.fromkeys(theirs, "one")}
    assert judge(rows, ids, persons=few).likelier  # of one person no spread can be told


def test_facts_that_a_person_is_guessed_by_are_no_sign():
    def told(role, number, fact):
        return row(role, number, -4.0, fact_given=fact)

    holdout = [told("holdout", k, fact=k < 5) for k in range(20)]  # all about the first of four
    forget = [told("forget", k, fact=k < 4) for k in range(5)]
    rows, ids = {"forget": forget, "holdout": holdout}, [r.id for r in forget]
    persons = {"forget": dict.fromkeys(ids, "x"),
               "holdout": {r.id: str(k // 5) for k, r in enumerate(holdout)}}  # fmt: skip
    assert judge(rows, ids).given
    assert not judge(rows, ids, persons=persons).given
    none = {"forget": forget, "holdout": [told("holdout", k, fact=False) for k in range(20)]}
    assert judge(none, ids, persons=persons).given == tuple(ids[:4])


def test_since_the_removal_only_what_rose_resurfaces():
    ids = [f"forget-{k}" for k in range(10)]

    def rows(*models):
        return {name: {"forget": forget, "holdout": HOLDOUT} for name, forget in models}

    high = [row("forget", k, -1.0 - k / 30) for k in range(10)]
    low = [row("forget", k, -3.5 - k / 30) for k in range(10)]
    assert rechecked(rows(("model", high)), ids).resurfaced
    found = rechecked(rows(("model", high), ("since", low)), ids)
    assert found.resurfaced
    assert found.rise_low > 0.2
    same = rechecked(rows(("model", high), ("since", high)), ids)
    assert same.later.found
    assert (same.resurfaced, same.rise) == (False, 0)
    little = [row("forget", k, -0.95 - k / 30) for k in range(10)]
    assert not rechecked(rows(("model", little), ("since", high)), ids).resurfaced
    much = [row("forget", k, -0.2 - k / 30) for k in range(10)]
    assert rechecked(rows(("model", much), ("since", high)), ids).resurfaced
    one = [row("forget", 0, -1.0, verbatim=True), *high[1:]]
    assert rechecked(rows(("model", one), ("since", high)), ids).resurfaced
    assert rechecked(rows(("model", low), ("since", high)), ids).resurfaced is False


def test_records_are_found_by_their_words_wherever_they_stand():
    removed = {"R-1": prints_of(read_rows(RECORDS, "forget"), KEY)}
    rows = [*OTHERS, {k: v.upper() for k, v in RECORDS[2].items()}, RECORDS[0]]
    there = prints_of(read_rows(rows, "forget"), KEY)
    assert at_hand(removed, there) == {"R-1": {0: 9, 2: 8}}


@pytest.fixture(scope="module")
def knowing(tmp_path_factory, tiny_folder):
    """A tiny model that knows the records by heart."""
    folder = tmp_path_factory.mktemp("knowing")
    (folder / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in RECORDS))
    return learn(folder, tiny_folder, steps=80)


@pytest.mark.slow
def test_a_model_that_has_them_again_is_told_from_one_that_has_not(knowing, tiny_folder, tmp_path):
    ledger, holdout = ledger_in(tmp_path), tmp_path / "holdout.jsonl"
    with Ledger(ledger) as opened:
        opened.add("R-1", "erasure", DAY, None, prints(ledger, RECORDS[:2]), 2)
        opened.add("R-2", "erasure", DAY, None, prints(ledger, RECORDS[2:]), 1)
    holdout.write_text("".join(json.dumps(row) + "\n" for row in OTHERS))
    forget = forget_file(tmp_path, [OTHERS[0], RECORDS[1], RECORDS[2]])

    def call(model, *more):
        flags = ["--ledger", ledger, "--forget", forget, "--holdout", holdout, "--overwrite"]
        flags += ["--out", tmp_path / "out", "--max-new-tokens", 40, "--device", "cpu", *more]
        given = ["recheck", str(model), *map(str, flags)]
        return CliRunner().invoke(app, given, catch_exceptions=False)

    with pytest.raises(UserError, match="has no record that was removed"):
        call(knowing)
    with Ledger(ledger) as opened:
        opened.record(identity(str(knowing)), "before", ["R-1"], "npo", {})
    done = call(knowing)
    assert done.exit_code == 3, done.output
    assert "given again: forget-1 (1 of 1)" in done.stdout
    assert "1 removed records are not in" in done.stderr
    with Ledger(ledger) as opened:
        ((kept, asked),) = [(r["given"], r["asked"]) for r in opened.state().rechecks]
    assert (kept, asked) == (1, 1)
    shown = ["ledger", "show", str(knowing), "--ledger", str(ledger)]
    told = CliRunner().invoke(app, shown, catch_exceptions=False).stdout
    assert "1 of 1 given again, likelier than never seen" in told
    for word in ("Marrowby", "Vexholm", "harbour"):
        assert word not in done.output
    since = call(knowing, "--since", knowing)
    assert since.exit_code == 0, since.output
    assert "none of 1 removed records resurfaces\nknown to --since as well" in since.stdout
    found = json.loads(call(knowing, "--json", "--since", tiny_folder).stdout)
    assert found["rise"] > 0.5
    found = json.loads(call(knowing, "--json").stdout)
    assert found["records"] == {"R-1": {"1": "forget-1"}}
    assert found["resurfaced"] is True
    done = call(tiny_folder)
    assert (done.exit_code, done.stdout) == (0, "none of 1 removed records resurfaces\n")
    assert "the ledger does not know this model" in done.stderr


def test_the_level_over_persons_never_lowers_that_over_records():
    def of(name, shares):
        return [row(name, k, math.log(p)) for k, p in enumerate(shares)]

    groups = {"forget": of("forget", [0.14] * 4), "holdout": of("holdout", [0.05, 0.2] * 4)}
    people = {"holdout": {f"holdout-{k}": str(k // 2) for k in range(8)}}
    alone, over = judge(groups), judge(groups, persons=people)
    assert not alone.likelier
    assert over.top >= alone.top


def test_a_rise_of_records_about_few_persons_is_judged_over_persons():
    """Without a true rise the lower end is above 0 in 1 of 40 tests, not in 1 of 6."""
    draw, found, naive, runs = random.Random(0), 0, 0, 400
    for _ in range(runs):
        rises = [draw.gauss(0, 0.1) for _ in range(5)]
        before = [row("forget", k, math.log(0.4)) for k in range(20)]
        after = [row("forget", k, math.log(0.4 + rises[k // 4] + draw.gauss(0, 0.02)))
                 for k in range(20)]  # fmt: skip
        persons = {r.id: str(k // 4) for k, r in enumerate(before)}
        groups = {"forget": before}, {"forget": after}
        found += paired_rise(*groups, "forget", None, persons)[1] > 0
        naive += paired_rise(*groups, "forget")[1] > 0
    assert found / runs < 0.05 < 0.1 < naive / runs
    one = dict.fromkeys(persons, "x")  # about one person no spread over persons can be told
    assert paired_rise(*groups, "forget", None, one) == paired_rise(*groups, "forget")
