"""Methods from outside the package: a file of the user's, or an installed package."""

import re
import sys
from importlib import util
from importlib.metadata import entry_points
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from unteach.methods._base import METHODS, Method
from unteach.metrics import METRICS
from unteach.nouns import Problem, UserError
from unteach.selectors import SELECTORS

if TYPE_CHECKING:
    from unteach.losses.seen import Seen, Term

GROUP = "unteach.methods"  # entry points of this group name modules that register methods
PREFIX = "unteach_plugin_"  # of the modules that files become
SPEAKING = (SyntaxError, ImportError, NameError, AttributeError, TypeError)
_loaded: set[Path] = set()


def load_plugin(file: str | Path) -> None:
    """Run a Python file that registers methods with `@method`; once, however often it is asked for.

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
    sys.modules[spec.name] = module  # dataclasses look their module up
    before, wrote = _names(), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # nothing is written where the user's files are
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        what = f"fails with {_told(error, path)}"
        raise UserError(Problem(where, what, f"run it alone: python {file}", "request")) from error
    finally:
        sys.dont_write_bytecode = wrote
    if _names() == before:
        hint = 'write @method("name") above a class; CONTRIBUTING.md has a whole file to start from'
        raise UserError(Problem(where, "registers no method", hint, "request"))
    _loaded.add(path)


def forget_terms(method: Method, seen: "Seen") -> list["Term"]:
    """What `method.forget(seen)` gives; a plugin's mistake is told with its line.

    Raises:
        UserError: the method is from a plugin file, and fails or gives no list of terms.
    """
    name = type(method).__module__
    if not name.startswith(PREFIX):
        return method.forget(seen)
    import torch

    from unteach.losses.seen import NotWholeError, Term

    path = Path(sys.modules[name].__file__ or "")
    where = f"--plugin {path.name}"
    try:
        terms = method.forget(seen)
    except (torch.OutOfMemoryError, NotWholeError):
        raise
    except Exception as error:
        what = f"{method.name}.forget fails with {_told(error, path, data=True)}"
        hint = (
            "a method is shown the reference, alternates and so on only if its `reads` names them; "
            "UNTEACH_DEBUG=1 shows the whole error, texts of your data included"
        )
        raise UserError(Problem(where, what, hint)) from error
    if not isinstance(terms, list) or not all(isinstance(term, Term) for term in terms):
        what = f"{method.name}.forget gives a {type(terms).__name__}, not a list of Term"
        raise UserError(Problem(where, what, 'write `return [Term("forget", values)]`'))
    return terms


def _names() -> set[str]:
    """All that a plugin may add to."""
    return {*METHODS, *SELECTORS, *METRICS}


def _told(error: Exception, path: Path, *, data: bool = False) -> str:
    """The error with its line in the file; in words only where these are code, and no data.

    Args:
        error: what the file raised.
        path: the file.
        data: it was shown some. Then only a name is told, and only one that stands in the file.
    """
    lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
    words = f": {error}" if isinstance(error, SPEAKING) else ""
    if data:
        name = getattr(error, "name", None)
        known = words and isinstance(name, str) and name in _names_in(path)
        words = f": '{name}' is not there" if known else ""
    return type(error).__name__ + words + (f" (line {lines[-1]})" if lines else "")


def _names_in(path: Path) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", path.read_text(encoding="utf-8")))


def load_installed() -> None:
    """Import what installed packages name under the entry-point group. Raises UserError."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            what = f"the plugin {point.name} ({point.value}) fails: {type(error).__name__}: {error}"
            hint = "update or uninstall the package that brings it"
            raise UserError(Problem("plugins", what, hint)) from error
