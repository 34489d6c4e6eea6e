"""The ledger: requests and their states, models and where they come from, entries that hold."""

import hashlib
import json
import os
import sqlite3
import stat
from datetime import date

import pytest
from ledger.books import DAY, RECORDS, added, forget_file, ledger_in, model_in, prints
from typer.testing import CliRunner

from unteach.cli import app
from unteach.errors import UserError
from unteach.ledger import Ledger, month_after
from unteach.ledger.key import key_file


@pytest.fixture
def file(tmp_path):
    return ledger_in(tmp_path)


def call(file, *arguments):
    """What a command prints; raises UserError."""
    given = ["ledger", *map(str, arguments)]
    given += ["--ledger", str(file)] if arguments[0] != "init" else []
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(file, *arguments, code=2):
    with pytest.raises(UserError) as error:
        call(file, *arguments)
    assert error.value.exit_code == code
    return str(error.value)


def add(file, folder, reference="R-1", **more):
    given = {"ground": "erasure", "received": "2026-01-31", "forget": forget_file(folder), **more}
    flags = [part for name, value in given.items() for part in (f"--{name}", value)]
    return call(file, "add", "--reference", reference, *flags)


def test_a_request_from_the_day_it_comes_to_its_end(file, tmp_path):
    assert "3 records, due 2026-02-28" in add(file, tmp_path)
    add(file, tmp_path, "R-2", due="2026-02-10")
    add(file, tmp_path, "R-3", received="2025-12-05")
    known = json.loads(call(file, "list", "--json"))["requests"]
    assert [(r["reference"], r["state"], r["due"]) for r in known] == [
        ("R-1", "open", "2026-02-28"),
        ("R-2", "open", "2026-02-10"),
        ("R-3", "open", "2026-01-05"),
    ]
    assert call(file, "list", "--due", "2026-02-10").split("\n")[1].startswith("R-3")
    assert "R-1" not in call(file, "list", "--due", "2026-02-10")
    call(file, "withdraw", "R-2")
    assert "R-2" not in call(file, "list", "--due", "2026-02-10")
    assert "is withdrawn" in refused(file, "withdraw", "R-2")
    assert "is no request" in refused(file, "withdraw", "R-9")
    with sqlite3.connect(file) as other:
        held = other.execute("SELECT entry, count(*) FROM prints GROUP BY entry").fetchall()
    assert held == [(2, 9), (4, 9)]  # those of R-2 are gone
    call(file, "withdraw", "R-1")
    call(file, "withdraw", "R-3")
    for made in prints(file):  # overwritten, not only let go
        for path in tmp_path.glob("removals.ledger*"):
            assert made.exact not in path.read_bytes()
    other.close()
    add(file, tmp_path, "R-4")
    assert prints(file)[0].exact in file.read_bytes()
    with Ledger(file) as ledger:
        assert [*ledger.prints()] == ["R-4"]


def test_one_month_ends_in_the_next():
    assert [month_after(date(2024, 1, day)).isoformat() for day in (29, 30, 31)] == [
        "2024-02-29"
    ] * 3
    assert month_after(date(2026, 12, 31)) == date(2027, 1, 31)
    assert month_after(date.max) == date.max


def test_what_would_name_a_person_or_is_no_date_is_refused(file, tmp_path):
    flags = ["--forget", forget_file(tmp_path), "--ground", "erasure", "--received", "2026-01-31"]
    for name in ("Ada Lovelace", "", "x" * 65, "a\nb"):
        if name:
            assert "is no plain name" in refused(file, "add", *flags, "--reference", name)
    assert "occurs in the records" in refused(file, "add", *flags, "--reference", "marrowby")
    for day in ("31.01.2026", "2026-02-30", "20260131", "today"):
        flags[-1] = day
        assert "is no date" in refused(file, "add", *flags, "--reference", "R-1")
    flags[-1] = "2026-03-01"
    said = refused(file, "add", *flags, "--reference", "R-1", "--due", "2026-02-01")
    assert "is before the request was received" in said
    add(file, tmp_path)
    assert "already" in refused(file, "add", *flags, "--reference", "R-1")


def test_where_a_model_comes_from(file, tmp_path):
    names = ("base", "tuned", "other", "merged", "small")
    folders = {name: model_in(tmp_path / name, name) for name in names}
    for child, by, parents in (
        ("tuned", "finetune", ["base"]),
        ("merged", "merge", ["tuned", "other"]),
        ("small", "quantise", ["merged"]),
    ):
        given = [part for name in parents for part in ("--from", folders[name])]
        call(file, "derive", folders[child], *given, "--by", by)
    chain = json.loads(call(file, "show", folders["small"], "--json"))["chain"]
    assert [link["by"] for link in chain] == ["quantise", "merge", "finetune", "base", "base"]
    assert chain[1]["parents"] == [chain[2]["child"], chain[3]["child"]]
    call(file, "derive", folders["base"], "--from", model_in(tmp_path / "older", "o"),
         "--by", "finetune")  # fmt: skip
    assert len(json.loads(call(file, "show", folders["small"], "--json"))["chain"]) == 6
    for child, parent in (("base", "base"), ("base", "small"), ("base", "tuned")):
        said = refused(file, "derive", folders[child], "--from", folders[parent], "--by", "merge")
        assert "is one of the models" in said
    said = refused(file, "derive", folders["tuned"], "--from", folders["other"], "--by", "merge")
    assert "is in the ledger already: finetune" in said
    (folders["small"] / "model.safetensors").write_text("changed")
    assert "is in no entry" in refused(file, "show", folders["small"], code=1)
    assert "is no model" in refused(file, "show", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "is no model" in refused(file, "show", tmp_path / "empty")
    assert "is not known" in refused(file, "derive", "a", "--from", "b", "--by", "magic")


FORGED = {
    "UPDATE entries SET body = replace(body, '\"due\": \"2026', '\"due\": \"2029') WHERE seq = 3":
        "entry 3 is not as it was written",
    "DELETE FROM entries WHERE seq = 5": "entry 5 is missing",
    "UPDATE entries SET seq = 99 WHERE seq = 6": "entry 6 is missing",
    "UPDATE entries SET before = 'x' WHERE seq = 4": "entry 4 does not follow entry 3",
    "UPDATE entries SET hash = 'x' WHERE seq = 6": "entry 6 is not as it was written",
    "UPDATE prints SET words = 1 WHERE entry = 3 AND record = 1": "fingerprints of R-2",
    "DELETE FROM prints WHERE entry = 2 AND record = 0": "fingerprints of R-1",
    "DELETE FROM entries WHERE seq > 0": "entry 1 is missing",
}  # fmt: skip


@pytest.mark.parametrize("statement", FORGED)
def test_what_was_changed_by_hand_is_named(file, tmp_path, statement):
    added(file, "R-1")
    added(file, "R-2")
    models = [model_in(tmp_path / name, name) for name in "abc"]
    call(file, "derive", models[1], "--from", models[0], "--by", "finetune")
    call(file, "derive", models[2], "--from", models[1], "--by", "finetune")
    call(file, "show", models[2])
    with sqlite3.connect(file) as other:
        assert other.execute(statement).rowcount
    assert FORGED[statement] in refused(file, "show", models[2], code=1)


def test_a_whole_forgery_is_found_by_a_hash_that_was_kept(file, tmp_path):
    added(file)
    model, base = model_in(tmp_path / "m", "m"), model_in(tmp_path / "b", "b")
    call(file, "derive", model, "--from", base, "--by", "finetune")
    head = json.loads(call(file, "list", "--json"))["head"]
    added(file, "R-2")
    call(file, "show", model, "--head", head)
    with sqlite3.connect(file) as other:  # whoever has the code
        entries = other.execute("SELECT seq, body FROM entries ORDER BY seq").fetchall()
        before = ""
        for number, body in entries:
            body = body.replace('"due": "2026-02-28"', '"due": "2029-02-28"')
            own = hashlib.sha256(f"{number}\n{before}\n{body}".encode()).hexdigest()
            said = "UPDATE entries SET body = ?, before = ?, hash = ? WHERE seq = ?"
            other.execute(said, (body, before, own, number))
            before = own
    call(file, "show", model)
    assert "--head" in refused(file, "show", model, "--head", head, code=1)


def test_what_is_no_ledger_or_a_newer_one(file, tmp_path):
    assert "is there already" in refused(file, "init", file)
    assert "does not exist" in refused(tmp_path / "none", "list")
    for name, data in (("text", b"some text " * 200), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        assert "is no ledger" in refused(tmp_path / name, "list")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE entries (seq)")
    other.commit()
    assert "is no ledger" in refused(tmp_path / "other", "list")
    with sqlite3.connect(file) as ours:
        ours.execute("PRAGMA user_version = 2")
    assert "has version 2, and this unteach reads version 1" in refused(file, "list")
    half = tmp_path / "half"
    half.write_bytes(file.read_bytes()[:9000])
    assert "is damaged" in refused(half, "list", code=1)


def test_the_key(file, tmp_path, monkeypatch):
    key = key_file(file)
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key.chmod(0o644)
        with pytest.raises(UserError, match="can be read by others"):
            add(file, tmp_path)
        key.chmod(0o600)
    whole = key.read_text()
    key.write_text("f" * 64)
    with pytest.raises(UserError, match="key of another ledger"):
        add(file, tmp_path)
    key.write_text(whole[:40])
    with pytest.raises(UserError, match="is no key"):
        add(file, tmp_path)
    key.unlink()
    with pytest.raises(UserError, match="does not exist: the ledger's key"):
        add(file, tmp_path)
    call(file, "list")


def test_nothing_of_the_records_is_in_the_file(file, tmp_path):
    add(file, tmp_path)
    with Ledger(file) as ledger:  # open: what was written is in the log beside it
        ledger.add("R-2", "erasure", DAY, None, prints(file), 3)
        held = {p.name: p.read_bytes() for p in tmp_path.glob("removals.ledger*")}
    assert held["removals.ledger-wal"]
    for name, data in held.items():
        data = data.lower()
        for row in RECORDS:
            for word in " ".join(row.values()).split():
                for code in ("utf-8", "utf-16-le"):
                    if len(word) > 3:
                        assert word.lower().encode(code) not in data, (name, word)
        for text in [*RECORDS[0].values(), "forget.jsonl", str(tmp_path)]:
            for made in (hashlib.sha256, hashlib.md5, hashlib.sha1, hashlib.blake2b):
                digest = made(text.encode())
                assert digest.digest()[:8] not in held[name]
                assert digest.hexdigest()[:16].encode() not in data
            assert text.lower().encode() not in data


def test_another_key_makes_other_prints(file):
    from unteach.data import read_rows
    from unteach.ledger import prints_of

    examples = read_rows(RECORDS, "forget")
    one, other = (prints_of(examples, key) for key in (b"1" * 32, b"2" * 32))
    assert one == prints_of(examples, b"1" * 32)
    for a, b in zip(one, other, strict=True):
        assert a.exact != b.exact
        assert a.normal != b.normal
        assert a.head != b.head
        assert a.sketch[:8] != b.sketch[:8]


def test_dates_and_clocks_decide_no_order(file, monkeypatch):
    from unteach.ledger import book

    for number, clock in enumerate(("2030-01-01", "1970-01-01", "2026-05-05")):
        monkeypatch.setattr(book, "_now", lambda clock=clock: {"clock": clock})
        with Ledger(file) as ledger:
            ledger.add(f"R-{number}", "erasure", date(2026 - number, 1, 1), None, [], 0)
    with Ledger(file) as ledger:
        assert [r.reference for r in ledger.requests()] == ["R-0", "R-1", "R-2"]


def test_ten_thousand_requests(file):
    with Ledger(file) as ledger, ledger.writing():
        for number in range(10_000):
            ledger.add(f"R-{number}", "erasure", DAY, None, [], 0)
    found = json.loads(call(file, "list", "--json", "--due", "2026-02-28"))["requests"]
    assert len(found) == 10_000
