"""List the source files that a module depends on: its own and those of all its imports."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r"^\s*from unteach\.([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def sources_of(names: Iterable[str]) -> list[Path]:
    """The files of modules and packages, and of everything they import within unteach.

    Imports inside functions count too. A package stands for all its modules, since suites and
    methods are found by their file and not by an import.

    Args:
        names: modules or packages without the prefix "unteach.": "suites", "evaluation.rows".

    Example:
        >>> files = [file.name for file in sources_of(["progress"])]
        >>> "progress.py" in files, "errors.py" in files, "trainer.py" in files
        (True, True, False)
    """
    seen: set[Path] = set()
    todo = [file for name in names for file in _files(name)]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        todo += _imported(file.read_text(encoding="utf-8"))
        todo += [init for init in (file.parent / "__init__.py",) if file.parent != ROOT]
    return sorted(seen)


def _files(name: str) -> list[Path]:
    path = ROOT.joinpath(*name.split("."))
    return [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else [*path.rglob("*.py")]


def _imported(text: str) -> list[Path]:
    """The files of imported modules, whether they are named before or after `import`."""
    files: list[Path] = []
    for module, names in IMPORT.findall(text):
        path = ROOT.joinpath(*module.split("."))
        inner = [path / f"{name}.py" for name in re.findall(r"\w+", names)]
        files += [path.with_suffix(".py"), path / "__init__.py", *inner]
    return [file for file in files if file.is_file()]
