"""Every command of the guide, from the day a request comes to a fine-tuned copy of the result."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from audit.learned import SECRET, learn, records, write

from unteach.attacks._rounding import rounded

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "deletion-request.md"
FEWER = {  # what makes a command small; the rest is as the guide has it
    "run": ["--set", "train.epochs=20", "--set", "evaluate.max_new_tokens=12", "--train-anyway"],
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
    other = [{**row, "question": f"{row['question']} Again?"} for row in records(70)[-12:]]
    (tmp_path / "next.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
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
            given[given.index("default")] = "given=12,membership=0.49,earlier=1"
            if "unlearned-2" not in given:  # there is no earlier request yet
                given[given.index("--gates") + 1] = "given=12,membership=0.49"
        if name == "ledger" and given[1] == "derive":
            make(place, given[2], given[given.index("--from") + 1])
        code, printed, told = call(*given, *FEWER.get(name, []))
        if name == "recheck":
            assert code in (0, 3), told  # whichever: it was asked, and the ledger has it
        else:
            assert code == wanted.get(name, 0), (given, told)
        assert SECRET not in printed + told
    code, printed, _ = call("ledger", "show", "tuned-int4", "--ledger", "removals.ledger")
    assert "finetune" in printed
    assert "quantise" in printed
    assert "for DSR-14" in printed
    assert "rechecked" in printed
    (earlier,) = json.loads((place / "unlearned-2" / "scores.json").read_text())["earlier"]
    assert (earlier["name"], earlier["records"]) == ("DSR-14", 12)
    assert earlier["outcome"] != "not asked"
    listed = call("ledger", "list", "--ledger", "removals.ledger")[1]
    assert re.search(r"DSR-15.*done", listed)
    assert re.search(r"DSR-16.*withdrawn", listed)


def make(place, name, parent):
    """A little fine-tuning, as far as hashes know; or a copy whose weights are those of 4 bits."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(place / parent, place / name)
    file = place / name / "model.safetensors"
    weights = load_file(file)
    for each, weight in weights.items():
        if name.endswith("int4") and each.endswith("_proj.weight"):
            weights[each] = rounded(weight, bits=4, group=32)
        elif each == "model.norm.weight" and not name.endswith("int4"):
            weights[each] = weight * 1.001
    save_file(weights, file, {"format": "pt"})
