"""What benchmarks and examples import from the package, also inside functions, is there."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p for folder in ("benchmarks", "examples") for p in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_it_is_there(file):
    lacking = [
        f"{node.module}.{name.name}"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "unteach"
        for name in node.names
        if not hasattr(import_module(node.module), name.name)
        and not find_spec(f"{node.module}.{name.name}")
    ]
    assert not lacking
