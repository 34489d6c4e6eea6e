"""Load methods from plug-ins: Python files of the user, or installed packages."""

import dataclasses
import re
import sys
from importlib import util
from importlib.metadata import entry_points
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from unteach.errors import Problem, UserError
from unteach.methods._base import METHODS, Method, made
from unteach.metrics import METRICS
from unteach.selectors import SELECTORS

if TYPE_CHECKING:
    from unteach.losses.answer_rows import AnswerRows, Term

GROUP = "unteach.methods"  # entry points of this group name modules that register methods
PREFIX = "unteach_plugin_"  # of the module names of plug-in files
WORD = re.compile(r"[^\W\d][\w-]*")  # allowed names
MOVED = "modules and classes were renamed in this release: CHANGELOG.md says where each one is now"
ASKS = "UNTEACH_DEBUG=1 shows the whole error, texts of your data included"
_loaded: set[Path] = set()


def load_plugin(file: str | Path) -> None:
    """Run a Python file that registers methods with `@method`; further calls do nothing.

    Raises:
        UserError: there is no such file, or it fails.
    """
    path = Path(file).resolve()
    if path in _loaded:
        return
    where = f"--plugin {file}"
    if not path.is_file():
        hint = "give a Python file that registers a method with @method"
        raise UserError(Problem(where, "is no file", hint, "request"))
    spec = util.spec_from_file_location(f"{PREFIX}{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(Problem(where, "is no Python file", "give a file.py", "request"))
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses need it
    before, wrote = _names(), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # writes no __pycache__ beside the user's files
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        what = f"fails with {_described(error, path)}"
        hint = MOVED if _of_unteach(error) else f"run it alone: python {file}"
        raise UserError(Problem(where, what, hint, "request")) from error
    finally:
        sys.dont_write_bytecode = wrote
    if _names() == before:
        hint = 'write @method("name") above a class; CONTRIBUTING.md has a whole file to start from'
        raise UserError(Problem(where, "registers no method", hint, "request"))
    for registry in (METHODS, SELECTORS, METRICS):
        if odd := [name for name in registry if not WORD.fullmatch(name)]:
            for name in odd:
                registry._things.pop(name)
            what = "registers something whose name is no word"
            raise UserError(Problem(where, what, "take letters, digits, - and _", "request"))
    _loaded.add(path)


def build(name: str, options: dict[str, Any]) -> Method:
    """Return the method of that name with these options.

    Raises:
        UserError: an unknown name, unknown options (with the nearest known one), bad values; or the
            method is from a plug-in file, and fails.
    """
    try:
        return made(METHODS, name, options)
    except Exception as error:
        if problem := problem_of(error):
            raise UserError(problem) from error
        raise


def problem_of(error: BaseException) -> Problem | None:
    """Return a problem with the failing line of a plug-in file; None for any other error.

    The error's own message is left out, as it may quote data.

    Args:
        error: with its traceback.
    """
    frames = extract_tb(error.__traceback__)[::-1]
    for frame in frames[:1] if isinstance(error, UserError) else frames:  # ours are readable
        if Path(frame.filename) in _loaded:
            path = Path(frame.filename)
            what = f"{frame.name} fails with {_described(error, path)}"
            return Problem(f"--plugin {path.name}", what, ASKS)
    return None


def forget_terms(method: Method, rows: "AnswerRows") -> list["Term"]:
    """Return `method.forget(rows)`; errors of plug-in methods are reported with their line.

    Raises:
        UserError: the method is from a plug-in file, and fails or returns no list of terms.
    """
    name = type(method).__module__
    if not name.startswith(PREFIX):
        return method.forget(rows)
    import torch

    from unteach.losses.answer_rows import NeedsWholeAnswersError, Term

    path = Path(sys.modules[name].__file__ or "")
    where = f"--plugin {path.name}"
    try:
        terms = method.forget(rows)
    except (torch.OutOfMemoryError, NeedsWholeAnswersError):
        raise
    except Exception as error:
        what = f"{method.name}.forget fails with {_described(error, path)}"
        hint = (
            "a method is shown the reference, alternates and so on only if its `reads` names them; "
            f"{ASKS}"
        )
        raise UserError(Problem(where, what, hint)) from error
    if not isinstance(terms, list) or not all(isinstance(term, Term) for term in terms):
        what = f"{method.name}.forget gives a {type(terms).__name__}, not a list of Term"
        raise UserError(Problem(where, what, 'write `return [Term("forget", values)]`'))
    return terms


def _names() -> set[str]:
    """Return all registered names that a plug-in may add to."""
    return {*METHODS, *SELECTORS, *METRICS}


def _described(error: BaseException, path: Path) -> str:
    """Describe an error by its type and line in the file; quote only messages without data.

    Errors of a plug-in may quote the data. So a name is quoted only if it occurs in the file, and a
    message only if Python's parser or `dataclasses` created it.
    """
    frames = extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    words, name = "", getattr(error, "name", None)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        words, lines = f": {error.msg}", [error.lineno or 0]
    elif isinstance(error, TypeError) and frames[-1].filename == dataclasses.__file__:
        words = f": {error}"
    elif isinstance(name, str) and set(name.split(".")) <= _names_in(path):
        words = f": '{name}' is not there"
    return type(error).__name__ + words + (f" (line {lines[-1]})" if lines else "")


def _of_unteach(error: BaseException) -> bool:
    """Whether a module or a name of unteach was imported that does not exist."""
    return isinstance(error, ImportError) and (error.name or "").split(".")[0] == "unteach"


def _names_in(path: Path) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", path.read_text(encoding="utf-8")))


def load_installed() -> None:
    """Import the modules of installed packages' entry points. Raises UserError."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            what = f"the plugin {point.name} ({point.value}) fails with {type(error).__name__}"
            hint = "update or uninstall the package that brings it"
            raise UserError(Problem("plugins", what, hint)) from error
