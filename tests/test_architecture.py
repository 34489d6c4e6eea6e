"""The house: imports run down, files stay small, and the package says nothing it should not."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "unteach"
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = (
    {"escaping", "losses", "registry", "types"},
    {"errors", "metrics"},
    {"files", "head", "progress", "selectors"},
    {"data", "models", "report", "settings", "teachers"},
    {"methods", "processes"},
    {"inference", "sharding"},
    {"adapters", "rowengine", "suites"},
    {"training"},
    {"checks"},
    {"evaluation", "sizing"},
    {"attacks", "ledger", "pipeline"},
    {"api", "demo"},
    {"cli"},
    {"__main__"},
)
HEAVY = ("torch", "transformers", "peft", "datasets", "accelerate")


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def floor(name: str) -> int:
    return next(k for k, names in enumerate(FLOORS) if name in names)


def imports(file: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "unteach":
                found |= {f"unteach.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_contributing_shows_the_floors():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.split("holds\nthem to it:\n\n```\n")[1].split("```")[0]
    assert block.splitlines() == [", ".join(sorted(names)) for names in reversed(FLOORS)]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_run_down(file):
    parts = file.relative_to(SOURCE).with_suffix("").parts
    if parts == ("__init__",):
        return
    here = parts[0]
    for module in imports(file):
        there = room(module)
        if module.startswith("unteach.") and there != here:
            assert floor(there) < floor(here), f"{here} imports {there}, which is not below it"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_files_are_small_and_say_their_idea(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)) or not text.strip()


@pytest.mark.parametrize(
    "module", ["report", "metrics", "selectors", "data", "settings.request", "types", "cli"]
)
def test_light_parts_load_nothing_heavy(module):
    code = f"import unteach.{module}, sys; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_losses_and_methods_know_no_trainer():
    for file in FILES:
        if file.relative_to(SOURCE).parts[0] in {"losses", "methods", "metrics"}:
            assert not imports(file) & {"transformers", "peft", "accelerate"}, file


def test_no_path_of_a_machine_and_nothing_left_to_do():
    pattern = re.compile(r"/(home|root|work|Users)/\w|\bTO" + "DO|FIX" + "ME")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        if name.endswith((".py", ".md", ".toml", ".yaml", ".txt", "Makefile")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not pattern.search(text), f"{name}: {pattern.search(text)}"
