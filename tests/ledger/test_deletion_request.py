"""Every command of the guide, from the day a request comes to a fine-tuned copy of the result."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from audit.learned import SECRET, learn, write

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "deletion-request.md"
FEWER = {  # what makes a command small; the rest is as the guide has it
    "run": ["--set", "train.epochs=20", "--set", "evaluate.max_new_tokens=12"],
    "attack": ["--attack", "int4", "--limit", "4"],
}


def commands():
    found = re.findall(r"^    unteach (.+)$", GUIDE.read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.fixture
def place(tmp_path, tiny_folder, monkeypatch):
    pytest.importorskip("cryptography")
    write(tmp_path)
    learn(tmp_path, tiny_folder, count=12, steps=60)
    (tmp_path / "model").rename(tmp_path / "my-model")
    rows = [{"question": f"What does Ben {k} eat?", "answer": f"Bread {k}."} for k in range(6)]
    (tmp_path / "retain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "next-training.jsonl").write_text('{"text": "Nobody is named in this line."}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_guide(place, call):
    """Gates are so wide that a model of two layers passes: what they tell is tested elsewhere."""
    wanted = {"audit": 3}
    for given in commands():
        name = given[0]
        if name == "run":
            assert "--gates default" in " ".join(given)
            given[given.index("default")] = "given=12,membership=0.49"
        if name == "ledger" and given[1] == "derive":
            again = place / "tuned"
            shutil.copytree(place / "unlearned", again)
            weigh(again / "model.safetensors")
        code, printed, told = call(*given, *FEWER.get(name, []))
        if name == "recheck":
            assert code in (0, 3), told  # whichever: it was asked, and the ledger has it
        else:
            assert code == wanted.get(name, 0), (given, told)
        assert SECRET not in printed + told
    code, printed, _ = call("ledger", "show", "tuned", "--ledger", "removals.ledger")
    assert "finetune" in printed
    assert "for DSR-14" in printed
    assert "rechecked" in printed


def weigh(file):
    """A little fine-tuning, as far as hashes know."""
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    name = "model.norm.weight"
    save_file({**weights, name: weights[name] * 1.001}, file, {"format": "pt"})
