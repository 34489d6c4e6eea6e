"""Files that no reader takes, each with a text that its refusal must not quote."""

import json
from io import BytesIO


def broken(word: str) -> dict[str, bytes]:
    """The files by name."""
    whole = {"question": f"Who is {word}?", "answer": f"{word} is she."}
    rows = {
        "key": {f"Who is {word}?": f"{word}.", "b": word},
        "two": {"quest": whole["question"], "answer": word},
        "number": {**whole, "answer": 5, "fact": [word]},
        "null": {**whole, "answer": None},
        "blank": {**whole, "answer": "  "},
        "wrong": {**whole, "perturbed_answer": {word: word}},
        "marks": {**whole, "spans": [[0, 9999], [word, word], word]},
        "markless": {**whole, "spans": word},
        "nameless": {**whole, "subject": [word, {word: word}]},
        "half": {**whole, "answer": f"{word} \ud83d"},
        "list": [word, word],
        "role": {"messages": [{"role": word, "content": word}]},
        "said": {"messages": [{"role": "user", "content": [word]}, {word: word}]},
        "deep": {**whole, "fact": {"a": {word: [word]}}},
        "alternate": {**whole, "alternate": {word: 1}},
        "about": {"about": {"schema": word, word: word}, "suite": word},
    }
    files = {f"{name}.jsonl": json.dumps(row).encode() for name, row in rows.items()}
    line = json.dumps(whole, ensure_ascii=False)
    files |= {
        "torn.jsonl": f"{line}\n{line[:-3]}\n".encode(),
        "plain.jsonl": f"{word} is she, and {word} was he.".encode(),
        "escape.jsonl": f'{{"question": "{word}\\x", "answer": "a"}}'.encode(),
        "lists.json": json.dumps({word: [whole], f"x{word}": [whole]}).encode(),
        "objects.json": json.dumps({word: whole}).encode(),
        "torn.json": f"[{line}, {line[:-9]}".encode(),
        "latin.txt": f"{word} was there".encode("latin-1"),
        "headless.csv": f"{word} is who?,She is {word}.\nb,c\n".encode(),
        "cells.csv": f'question,answer\n"{word}?",{word}, and {word}\n'.encode(),
        "quotes.csv": f'question,answer\n"{word}"x,"{word}\n'.encode(),
        "signs.csv": f"question;answer\n{word};{word}\n".encode(),
        "broken.parquet": f"PAR1 {word} PAR1".encode(),
        "typed.parquet": _parquet({word: [whole, whole], "answer": [1, 2]}),
        "some.yaml": f"{word} is who: She is {word}.\nmodel: [{word}\n".encode(),
        "keys.yaml": f"{word} is who: She is {word}.\ntrain: {{{word} now: 1}}\n".encode(),
        "alias.yaml": f"model: *{word}\n".encode(),
        "tag.yaml": f"model: !{word} a\n".encode(),
        "anchor.yaml": f"model: &{word} a\nforget: &{word} a\nb: {word}: {word}\n".encode(),
    }
    return files


def _parquet(columns) -> bytes:
    import pyarrow
    from pyarrow import parquet

    target = BytesIO()
    parquet.write_table(pyarrow.table(columns), target)
    return target.getvalue()
