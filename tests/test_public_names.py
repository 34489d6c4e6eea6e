"""What a user of Python finds: names that editors resolve, and mistakes that are told."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import unteach
from unteach.methods import METHODS, _classes

SOURCE = Path(unteach.__file__).parent


def bound(file: Path) -> dict[str, str]:
    """The names that a type checker binds in `if TYPE_CHECKING`, each with where it is from."""
    found = {}
    for block in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for node in block.body:
                if isinstance(node, ast.ImportFrom):
                    found |= {alias.name: node.module or "" for alias in node.names}
                elif isinstance(node, ast.AnnAssign):
                    found[ast.unparse(node.target)] = "here"
    return found


def defines(module: str, name: str) -> bool:
    file = SOURCE.joinpath(*module.split(".")[1:])
    file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(getattr(node, "name", "") == name for node in body)


def test_a_type_checker_finds_every_public_name():
    found = bound(SOURCE / "__init__.py")
    assert found.pop("*") == "unteach.methods._classes"
    assert set(found) == set(unteach.__all__)
    for name, module in found.items():
        if module == "unteach":
            assert (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").exists(), name
        elif module != "here":
            assert defines(module, name), name
    assert bound(SOURCE / "methods" / "__init__.py") == {"*": "unteach.methods._classes"}
    assert (SOURCE / "py.typed").exists()


def test_every_method_stands_among_the_classes_that_editors_see():
    """A new file works without; add its class to `methods/_classes.py` for editors."""
    ours = {METHODS.get(name) for name in METHODS}
    names = {cls.__name__ for cls in ours if cls.__module__.startswith("unteach.methods.")}
    assert {name for name, thing in vars(_classes).items() if isinstance(thing, type)} == names
    assert all(getattr(_classes, name) is getattr(unteach, name) for name in names)


def test_names_are_listed_without_loading_torch():
    code = "import unteach, sys; print(*dir(unteach), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *names, heavy = done.stdout.split()
    assert {"NPO", "UnlearningTrainer", "losses"} <= set(names)
    assert heavy == "False"


def test_arguments_that_there_are_not_are_told_with_those_that_are():
    with pytest.raises(TypeError, match=r'NPO takes no argument "bta"\. Did you mean "beta"\? K'):
        unteach.NPO(bta=1)
    with pytest.raises(TypeError, match=r'mean "learning_rate".*Known: .*chunk_rows'):
        unteach.UnlearningConfig(learning_rat=1)
    with pytest.raises(
        TypeError, match=r'mean "forget_dataset".*Known: model, method, forget_data'
    ):
        unteach.UnlearningTrainer(None, forget_datset=[])
    with pytest.raises(AttributeError, match=r'mean "UnlearningTrainer".*Known: AltPO'):
        unteach.UnlearnTrainer  # noqa: B018
    with pytest.raises(AttributeError, match=r'mean "Unilogit".*Known: AltPO'):
        unteach.methods.Unilogits  # noqa: B018


def test_every_public_name_is_there():
    for name in unteach.__all__:
        assert getattr(unteach, name), name
