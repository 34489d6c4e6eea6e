"""Read the methods' options, papers and docstrings from source, without importing torch."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from unteach.methods import _papers
from unteach.methods._base import METHODS, TOFU_SETTINGS, Method, MethodDefaults, made, option
from unteach.registry import Registry
from unteach.types import Paper

NAMES = {
    "Any": Any, "Mapping": Mapping,
    "ClassVar": ClassVar, "Literal": Literal, "Method": Method, "Paper": Paper,
    "MethodDefaults": MethodDefaults, "TOFU_SETTINGS": TOFU_SETTINGS,
    "dataclass": dataclass, "frozenset": frozenset, "option": option, "papers": _papers,
    "replace": replace,
}  # fmt: skip
"""Names that a header may use; a method whose header uses others is imported instead."""

HEADERS: Registry[type[Method]] = Registry("method", fill=lambda: _read_all())
"""Each method's class with docstring, options, paper and plan, but with empty functions.

Only those that tell defaults and inputs, `KEPT`, are whole.
"""
KEPT = {"defaults_for", "training_defaults", "needs"}


def known(plugins: bool = False) -> Registry[type[Method]]:
    """Return the registry to look methods up in: headers, or all methods if there may be plug-ins.

    Args:
        plugins: whether plug-in files were given; their methods have no header here.
    """
    return METHODS if plugins or _installed() or len(list(HEADERS)) < len(_files()) else HEADERS


def foresee(name: str, options: dict[str, Any], *, plugins: bool = False) -> None:
    """Refuse an invalid method name, option or value before heavy libraries are imported.

    A method's own checks and plug-in methods are left to `build`.

    Raises:
        UserError: as `build` does.

    Example:
        >>> foresee("npo", {"beta": 0.2})
        >>> foresee("nppo", {})
        Traceback (most recent call last):
        unteach.errors.UserError: method: "nppo" is not a method
            hint: Did you mean "npo"? Known: altpo, ascent, ...
    """
    if name in HEADERS or known(plugins) is HEADERS:
        made(HEADERS, name, options)


def _installed() -> bool:
    """Whether an installed package provides methods."""
    from importlib.metadata import entry_points

    from unteach.methods._plugins import GROUP

    return bool(entry_points(group=GROUP))


def _files() -> list[Path]:
    return [f for f in sorted(Path(__file__).parent.glob("*.py")) if not f.stem.startswith("_")]


@cache
def _read_all() -> None:
    for file in _files():
        for name, cls in read(file.read_text(encoding="utf-8")).items():
            HEADERS.add(name, cls)


def read(source: str) -> dict[str, type[Method]]:
    """Return a file's methods by name, if their headers use no names but `NAMES`.

    Example:
        >>> text = '''
        ... @method("mine")
        ... @dataclass(frozen=True, kw_only=True)
        ... class Mine(Method):
        ...     "Less of it."
        ...     share: float = option(0.5, "how much of it", above=0)
        ...     def forget(self, rows): ...
        ... '''
        >>> read(text)["mine"]().share
        0.5
    """
    classes = {}
    for node in ast.parse(source).body:
        name = _registered(node)
        if name and isinstance(node, ast.ClassDef):
            try:
                classes[name] = _class_of(node, name)
            except NameError:
                continue
    return classes


def _registered(node: ast.stmt) -> str:
    """Return the name under which a class is registered, "" if it is not."""
    for call in getattr(node, "decorator_list", ()):
        match call:
            case ast.Call(func=ast.Name(id="method"), args=[ast.Constant(value=str(name))]):
                return name
    return ""


def _class_of(node: ast.ClassDef, name: str) -> type[Method]:
    body = [part for part in map(_emptied, node.body) if part]
    kept: list[ast.expr] = [
        call
        for call in node.decorator_list
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "dataclass"
    ]
    header = ast.ClassDef(node.name, node.bases, [], body, kept)
    if "type_params" in ast.ClassDef._fields:  # from Python 3.12 on
        header.type_params = []  # type: ignore[attr-defined]
    module = ast.fix_missing_locations(ast.Module([header], []))
    names: dict[str, Any] = {**NAMES, "__name__": f"{__name__}.{name}"}
    exec(compile(module, f"<header of {name}>", "exec"), names)
    names[node.name].name = name
    return names[node.name]


def _emptied(part: ast.stmt) -> ast.stmt | None:
    """Empty a function's body, unless it is in `KEPT`; drop `__post_init__`: the base has one."""
    if not isinstance(part, ast.FunctionDef) or part.name in KEPT:
        return part
    if part.name == "__post_init__":
        return None
    return ast.parse(f"def {part.name}(self, *args, **options): pass").body[0]
