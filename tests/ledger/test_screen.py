"""What was removed is found in the next training set, however it is written, and nothing else."""

import json
import random
import unicodedata

import numpy
import pytest
from ledger.books import DAY, RECORDS, ledger_in, prints
from typer.testing import CliRunner

from unteach.cli import app
from unteach.data import read_rows
from unteach.errors import UserError
from unteach.ledger import Ledger
from unteach.ledger.normal import words_of
from unteach.ledger.prints import gram_prints, prints_of, sketch_of
from unteach.ledger.screen import Screen

KEY = b"k" * 32
QUESTION, ANSWER = (RECORDS[1][name] for name in ("question", "answer"))
LONG = "Some words stand here before it, and nobody wonders. {} And some words come after it, too."
WHOLE = f"{QUESTION}\n{ANSWER}"


def hits(*rows, removed=RECORDS, **options):
    looking = Screen({"R-1": prints_of(read_rows(removed, "forget"), KEY)}, KEY, **options)
    return [(h.kind, h.part, h.record) for h in looking.hits(read_rows(list(rows), "train"))]


def turns(*texts):
    roles = ["system", "user", "assistant"][-len(texts) :]
    return [{"role": r, "content": t} for r, t in zip(roles, texts, strict=True)]


FOUND = {
    "as it was": ({"question": QUESTION, "answer": ANSWER}, "exact", "whole"),
    "as raw text": ({"text": WHOLE}, "exact", "whole"),
    "in a chat": ({"messages": turns(QUESTION, ANSWER)}, "exact", "whole"),
    "the answer alone": ({"text": ANSWER}, "exact", "answer"),
    "another answer": ({"question": QUESTION, "answer": "Nobody knows."}, "exact", "question"),
    "in capitals": ({"text": ANSWER.upper()}, "normalised", "answer"),
    "other space": ({"text": ANSWER.replace(" ", "\u00a0 \t")}, "normalised", "answer"),
    "no punctuation": ({"text": ANSWER.replace(",", "").strip(".")}, "normalised", "answer"),
    "quoted": ({"text": f"\u201c{ANSWER}\u201d"}, "normalised", "answer"),
    "full width": ({"text": ANSWER.replace("i", "\uff49")}, "normalised", "answer"),
    "no width": ({"text": ANSWER.replace("e", "e\u200b")}, "normalised", "answer"),
    "on one line": ({"text": WHOLE.replace("\n", " ")}, "normalised", "whole"),
    "in a longer text": ({"text": LONG.format(ANSWER)}, "contained", "answer"),
    "between roles": (
        {"text": f"Question: {QUESTION}\nAnswer: {ANSWER.upper()}"}, "contained", "answer",
    ),
    "in a system message": (
        {"messages": turns(LONG.format(ANSWER), "Hello, you there?", "Hello.")},
        "contained", "answer",
    ),
    "in a message's reasoning": (
        {"messages": [*turns("Hello?"),
                      {"role": "assistant", "content": "Yes.", "reasoning_content": ANSWER}]},
        "exact", "answer",
    ),
    "a word changed": ({"text": ANSWER.replace("winter", "spring")}, "near", "answer"),
    "a line of many": (
        {"text": f"{LONG}\n" * 20 + ANSWER.replace("winter", "spring")}, "near", "answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", FOUND)
def test_a_removed_record_is_found(how):
    row, kind, part = FOUND[how]
    assert (kind, part, 1) in hits(row)


def test_what_is_other_is_not_found():
    pairs = [
        {"question": "Where was Ada Byron born, and when?", "answer": "In London, in 1815."},
        {"question": "Yes?", "answer": "He was born in the harbour."},
    ]
    other = [
        {"text": " ".join(reversed(ANSWER.split()))},
        {"text": "\u200b..."},
        {"text": "He was born in the"},
    ]
    assert hits(*pairs) == hits(*other) == []
    assert hits({"text": "Hm, yes."}, removed=[{"question": "Hm?", "answer": "Hm, yes."}]) == []
    short = [{"question": "Hm?", "answer": "Hm, yes."}]
    assert hits(*short, removed=short) == [("exact", "whole", 0)]


def test_letters_that_are_written_in_two_ways():
    removed = [{"text": "Zoë Åström ißt Käse in der Größe von 2½ \ufb01nger \u0939\u093f\u0928"}]
    for form in ("NFD", "NFKD", "NFC"):
        written = unicodedata.normalize(form, removed[0]["text"].upper())
        ((kind, _, _),) = hits({"text": written}, removed=removed)
        assert kind == "normalised"


def test_what_counts_can_be_chosen():
    row = {"question": QUESTION, "answer": "Nobody knows."}
    assert hits(row, parts=["whole", "answer"]) == []
    near = {"text": ANSWER.replace("winter", "spring")}
    assert ("near", "answer", 1) in hits(near)
    assert hits(near, similar=2) == []


def test_the_sketch_estimates_how_alike_two_texts_are():
    draw = random.Random(0)
    errors = []
    for _ in range(60):
        words = [f"w{draw.randrange(10**6)}" for _ in range(200)]
        other = [w if draw.random() > 0.06 else "x" + w for w in words]
        grams = [{tuple(t[k : k + 5]) for k in range(len(t) - 4)} for t in (words, other)]
        truth = len(grams[0] & grams[1]) / len(grams[0] | grams[1])
        made = [numpy.frombuffer(sketch_of(gram_prints(t, KEY), KEY), "<u4")
                for t in (words, other)]  # fmt: skip
        errors.append(float((made[0] == made[1]).mean()) - truth)
    assert abs(numpy.mean(errors)) < 4 * 0.5 / numpy.sqrt(128 * 60)
    assert numpy.max(numpy.abs(errors)) < 5 * 0.5 / numpy.sqrt(128)


def test_long_texts_are_sketched_piece_by_piece_to_the_same():
    words = words_of(" ".join(f"w{k}" for k in range(9000)))
    grams = gram_prints(words, KEY)
    parts = [numpy.frombuffer(sketch_of(grams[k : k + 3000], KEY), "<u4") for k in (0, 3000, 6000)]
    assert numpy.minimum.reduce(parts).tobytes() == sketch_of(grams, KEY)


def call(*arguments):
    return CliRunner().invoke(app, ["screen", *map(str, arguments)], catch_exceptions=False)


def test_the_command_names_lines_and_no_text(tmp_path):
    ledger = ledger_in(tmp_path)
    with Ledger(ledger) as opened:
        opened.add("R-1", "erasure", DAY, None, prints(ledger), 3)
        opened.add("R-2", "erasure", DAY, None, prints(ledger, [{"text": LONG}]), 1)
        opened.withdraw("R-2")
    train, clean = tmp_path / "train.jsonl", tmp_path / "clean.jsonl"
    rows = [{"text": "A quite harmless line."}, {"text": LONG}, RECORDS[2], {"text": ANSWER}]
    clean.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    pairs = [{"text": "\n".join(r.values())} for r in rows]
    train.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    done = call(clean, train, "--ledger", ledger)
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [
        f"{train}:3: exact, whole of forget-2 of R-1",
        f"{train}:4: exact, answer of forget-1 of R-1",
    ]
    assert "6 records were searched; removed records found: 2 exact" in done.stderr
    for word in " ".join([*RECORDS[2].values(), ANSWER]).split():
        assert len(word) < 6 or word not in done.output
    found = json.loads(call(train, "--ledger", ledger, "--json").stdout)
    assert [(h["where"], h["record"]) for h in found] == [(f"{train}:3", 2), (f"{train}:4", 1)]
    done = call(clean, "--ledger", ledger, "--key", f"{ledger}.key")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "removed records found: nothing" in done.stderr


def test_what_cannot_be_looked_through(tmp_path):
    ledger = ledger_in(tmp_path)
    (tmp_path / "bad.jsonl").write_text("{")
    with pytest.raises(UserError) as error:
        call(tmp_path / "bad.jsonl", tmp_path / "gone.jsonl", "--ledger", ledger)
    assert len(error.value.problems) == 2
    with pytest.raises(UserError, match="is no part"):
        call(tmp_path / "bad.jsonl", "--ledger", ledger, "--parts", "whole,title")
    with pytest.raises(UserError, match="ledger's key"):
        call(tmp_path / "bad.jsonl", "--ledger", ledger, "--key", tmp_path / "none")
