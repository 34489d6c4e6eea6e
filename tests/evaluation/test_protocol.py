"""MUSE's protocols: several models in the order given, each beside the one before it."""

import json

import pytest

from unteach.report.protocol import HEADER

ASKED = [{"question": f"Where was Ada {k} born?", "answer": "Lund"} for k in range(3)]
SHOWN = [{"question": "Who eats?", "answer": "Ben"}]
FILES = {
    "privleak_retain": ["a text that was kept", "and one more"],
    "verbmem_forget": [{"prompt": "The river runs", "gt": " north; nobody knows why."}],
    "knowmem_forget_qa": ASKED,
    "knowmem_forget_qa_icl": SHOWN,
    "knowmem_retain_qa": ASKED[:2],
    "knowmem_retain_qa_icl": SHOWN,
    "sust_forget_2": ["a text that was seen", "another one"],
}


@pytest.fixture
def muse(tmp_path):
    for name, content in FILES.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_steps_stand_in_the_order_of_their_flags(muse, tiny_folder, other_folder, monkeypatch):
    from unteach.cli import main

    models = {"third": tiny_folder, "first": other_folder, "second": tiny_folder}
    flags = [part for label, path in models.items() for part in ("--model", f"{label}={path}")]
    given = ("--suite", "muse", "--data", muse, "--set", "protocol=sustainability", "--no-cache")
    evaluate = (
        "evaluate", *flags, "--reference-model", tiny_folder, *given, "--set", "request=2",
        "--out", muse / "out",
    )  # fmt: skip
    for arguments in (evaluate, ("score", muse / "out", "--out", muse / "again")):
        monkeypatch.setattr("sys.argv", ["unteach", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
    for folder in ("out", "again"):
        record = json.loads((muse / folder / "scores.json").read_text())
        assert list(record["models"]) == ["original", *models]
        ((title, table),) = record["tables"].items()
        assert title.startswith("Sustainability")
        assert table[0] == HEADER
        assert [line[0] for line in table[1:]] == ["original", *models]
        utility = record["models"]["original"]["knowmem_retain"]["knowledge_memorization"]
        assert utility["n"] == 2
        assert table[1][1].startswith(f"{utility['value']:.2f}")
        assert title in (muse / folder / "report.md").read_text()
