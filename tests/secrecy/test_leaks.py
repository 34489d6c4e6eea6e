"""The search finds what it should, so that the tests that find nothing can fail."""

import base64
import gzip
import json
import pickle
from urllib.parse import quote, quote_plus

import numpy as np
import pytest
import torch
from secrecy.leaks import canary, leaks, leaks_under

WORD = "Zöxkwamböri"


@pytest.fixture(scope="module")
def bird(tokenizer):
    return canary(WORD, tokenizer)


def around(tokenizer):
    return tokenizer(f"Where was {WORD}, then?")["input_ids"]


@pytest.mark.parametrize("write", [
    lambda text: text.encode(),
    lambda text: text.upper().encode(),
    lambda text: json.dumps(text).encode(),
    lambda text: repr(text.encode()).encode() + text.encode("latin-1"),
    lambda text: ascii(text).encode(),
    lambda text: quote(text).encode(),
    lambda text: quote_plus(text).encode(),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode().hex().encode(),
    lambda text: text.encode("ascii", "xmlcharrefreplace"),
    lambda text: gzip.compress(text.encode()),
    *(lambda text, n=n: base64.b64encode(b"x" * n + text.encode()) for n in range(3)),
    *(lambda text, n=n: base64.urlsafe_b64encode(b"x" * n + text.encode()) for n in range(3)),
])  # fmt: skip
def test_a_text_is_found(write, bird):
    assert leaks(write(f"It is {WORD} indeed"), bird)
    assert not leaks(write("It is nobody indeed"), bird)


def torch_saved(ids, folder):
    torch.save({"ids": torch.tensor(ids)}, folder / "x.pt")
    return (folder / "x.pt").read_bytes()


@pytest.mark.parametrize("write", [
    lambda ids, _: str(ids).encode(),
    lambda ids, _: " ".join(map(str, ids)).encode(),
    lambda ids, _: json.dumps({"ids": ids}, indent=8).encode(),
    lambda ids, _: repr(torch.tensor(ids)).encode(),
    lambda ids, _: np.array(ids, "<i4").tobytes(),
    lambda ids, _: b"x" + np.array(ids, "<i8").tobytes(),
    lambda ids, _: np.array(ids, ">i4").tobytes(),
    lambda ids, _: np.array(ids, "<u2").tobytes(),
    lambda ids, _: pickle.dumps(ids),
    lambda ids, _: pickle.dumps(tuple(ids), 0),
    torch_saved,
])  # fmt: skip
def test_ids_are_found(write, bird, tokenizer, tmp_path):
    ids = around(tokenizer)
    assert leaks(write(ids, tmp_path), bird)
    assert not leaks(write([*ids[::2], *ids[1::2]], tmp_path), bird)


def test_files_and_names_are_searched(bird, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".hidden").write_text(f"so {WORD}")
    (tmp_path / f"{WORD}.json").write_text("{}")
    assert len(leaks_under(tmp_path, [bird])) == 2
