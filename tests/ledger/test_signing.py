"""A ledger that was written anew, with hashes that fit, is told from the one that was signed."""

import json
import sqlite3

import pytest
from ledger.books import added, ledger_in
from ledger.test_ledger import call, refused

from unteach.errors import UserError
from unteach.ledger import Ledger, chain, store

pytest.importorskip("cryptography")


@pytest.fixture
def file(tmp_path):
    made = ledger_in(tmp_path)
    added(made)
    call(made, "init", tmp_path / "another.ledger")
    return made


def run(command, *arguments):
    from typer.testing import CliRunner

    from unteach.cli import app

    done = CliRunner().invoke(app, ["ledger", command, *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def key(tmp_path):
    run("keypair", tmp_path / "sign.pem")
    return tmp_path / "sign.pem"


def rewritten(file, change):
    """All entries anew, with hashes that fit: what somebody can do who has this program."""
    with sqlite3.connect(file) as raw:
        bodies = [b for (b,) in raw.execute("SELECT body FROM entries ORDER BY seq").fetchall()]
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("DELETE FROM entries")
        before = chain.START
        for number, body in enumerate(map(json.loads, bodies), 1):
            said = change(body)
            if said["kind"] == "signature":
                said["of"] = before
            entry = chain.written(number, before, said)
            raw.execute(store.INSERT, entry)
            before = entry[3]
    raw.close()


def test_signed_entries_are_told_from_those_since(file, key):
    assert "is not signed" in refused(file, "verify", code=1)
    assert "entries up to 2 are signed (entry 3)" in call(file, "sign", "--private", key)
    assert "entries up to 2: signed by key" in call(file, "verify", "--public", f"{key}.pub")
    call(file, "withdraw", "R-1")
    said = run("verify", "--ledger", file, "--public", f"{key}.pub")
    assert "1 entries since the last of them are not signed" in said
    assert (key.stat().st_mode & 0o777) == 0o600


def test_a_forged_link_is_named(file, key, tmp_path):
    with Ledger(file) as ledger:
        ledger.derive("child", ["parent"], "finetune")
    call(file, "sign", "--private", key)

    def forged(said):
        return {**said, "by": "merge"} if said.get("child") == "child" else said

    rewritten(file, forged)
    with Ledger(file) as ledger:
        assert ledger.state().links["child"].by == "merge"  # the hashes alone do not tell
    assert "the signature in entry 5 was not made of" in refused(file, "verify", code=1)
    run("keypair", tmp_path / "other.pem")
    assert "signature in entry 5" in refused(
        file, "verify", "--public", tmp_path / "other.pem.pub", code=1
    )


def test_another_key_is_not_this_one(file, key, tmp_path):
    run("keypair", tmp_path / "other.pem")
    call(file, "sign", "--private", tmp_path / "other.pem")
    call(file, "verify")
    assert "is not signed by the key" in refused(file, "verify", "--public", f"{key}.pub", code=1)


def test_what_is_no_key_is_refused(file, key, tmp_path):
    with pytest.raises(UserError, match="is there already"):
        run("keypair", key)
    assert "is no private key" in refused(file, "sign", "--private", f"{key}.pub")
    assert "is no public key" in refused(file, "verify", "--public", key)
    key.chmod(0o644)
    assert "can be read by others" in refused(file, "sign", "--private", key, code=1)
    assert "none.pem" in refused(file, "sign", "--private", tmp_path / "none.pem")
