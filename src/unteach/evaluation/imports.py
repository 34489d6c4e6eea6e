"""The source files that a module depends on: its own, and those of every module that it imports."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r"^\s*from unteach\.([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def sources_of(names: Iterable[str]) -> list[Path]:
    """The files of modules and packages, and of all that they import within unteach.

    Imports inside functions count too. A package stands for every module in it, for suites and
    methods are found by their file alone.

    Args:
        names: modules or packages of unteach, without its name: "suites", "evaluation.rows".

    Example:
        >>> files = [file.name for file in sources_of(["progress"])]
        >>> "progress.py" in files, "errors.py" in files, "trainer.py" in files
        (True, True, False)
    """
    found: set[Path] = set()
    todo = [file for name in names for file in _files(name)]
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        todo += _imported(file.read_text(encoding="utf-8"))
        todo += [init for init in (file.parent / "__init__.py",) if file.parent != ROOT]
    return sorted(found)


def _files(name: str) -> list[Path]:
    path = ROOT.joinpath(*name.split("."))
    return [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else [*path.rglob("*.py")]


def _imported(text: str) -> list[Path]:
    """The files of the modules that are imported, whether named before or after "import"."""
    files: list[Path] = []
    for module, names in IMPORT.findall(text):
        path = ROOT.joinpath(*module.split("."))
        inner = [path / f"{name}.py" for name in re.findall(r"\w+", names)]
        files += [path.with_suffix(".py"), path / "__init__.py", *inner]
    return [file for file in files if file.is_file()]
