"""The README's commands and code do what they say."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith("unteach ")]


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def desk(tmp_path, tiny_folder, monkeypatch):
    """A folder as the README's reader would have it, with the README's own forget file."""
    shutil.copytree(tiny_folder, tmp_path / "my-model")
    (tmp_path / "forget.jsonl").write_text(blocks("json")[0])
    for name, who in (("retain", "BC"), ("holdout", "DE")):
        rows = [{"question": f"Where does {x} live?", "answer": f"{x} lives here."} for x in who]
        (tmp_path / f"{name}.jsonl").write_text(lines(rows))
    shutil.copytree(tiny_folder, tmp_path / "retrained")
    (tmp_path / "tofu").mkdir()
    for name in ("forget10_perturbed", "retain_perturbed", "real_authors_perturbed",
                 "world_facts_perturbed"):  # fmt: skip
        row = {"question": "Who?", "answer": "Ada.", "perturbed_answer": ["Ben.", "Cy."]}
        if name.startswith(("forget", "retain")):
            row["paraphrased_answer"] = "It is Ada."
        (tmp_path / "tofu" / f"{name}.jsonl").write_text(lines([row, row]))
    monkeypatch.setenv("UNTEACH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(desk, monkeypatch, capsys):
    from unteach.cli import main

    assert len(commands()) == 17
    for command in commands():
        anyway = ["--train-anyway"] * (command.split()[1] == "run")  # it never knew Ada Berg
        monkeypatch.setattr("sys.argv", shlex.split(command) + anyway)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code, f"{command}: {capsys.readouterr().err}"
    for folder in ("unlearned", "small", "again"):
        assert (desk / folder / "model.safetensors").exists()
        assert (desk / folder / "report.md").exists()
    for folder in ("evaluation", "tofu-scores", "scores-again", "table"):
        assert (desk / folder / "report.md").exists()


def test_the_python_code(desk):
    call, trainer = blocks("python")
    anyway = 'settings={"train.epochs": 5}, train_anyway=True'  # it never knew Ada Berg
    for code in (call.replace('settings={"train.epochs": 5}', anyway), trainer):
        exec(compile(code, "README", "exec"), {})
    for folder in ("forgotten", "trained"):
        assert (desk / folder / "model.safetensors").exists()


def test_the_files_it_names_exist():
    root = Path(__file__).resolve().parents[1]
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert name.startswith("http") or (root / name).exists(), name
    contributing = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = next(block for block in contributing.split("```")[1::2] if "src/unteach/" in block)
    for name in re.findall(r"^  (\w+/)", tree, re.MULTILINE):
        assert (root / "src" / "unteach" / name).is_dir(), name
    for name in re.findall(r"\w+\.py", tree):
        assert (root / "src" / "unteach" / name).exists(), name
