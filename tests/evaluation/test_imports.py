"""The key of kept rows covers every file that makes them."""

import subprocess
import sys

import pytest

from unteach.evaluation.hashes import ASKING
from unteach.evaluation.imports import ROOT, sources_of

LOADED = """
import sys, importlib
for name in {names}: importlib.import_module("unteach." + name)
files = (getattr(m, "__file__", None) for n, m in sys.modules.items() if n.startswith("unteach."))
print("\\n".join(f for f in files if f))
"""


@pytest.mark.parametrize("names", [ASKING, ("attacks",), ("data.encoding.encode",)])
def test_every_module_that_is_loaded_is_among_the_sources(names):
    """Python itself says which files an import reads; ours has those, and the lazy ones too."""
    out = subprocess.run(
        [sys.executable, "-c", LOADED.format(names=list(names))],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(out.stdout.split())
    assert loaded
    assert loaded <= {str(file) for file in sources_of(names)}


def test_lazy_imports_count_and_what_is_not_imported_does_not():
    found = {str(file.relative_to(ROOT)) for file in sources_of(ASKING)}
    assert {"inference/queue.py", "suites/own.py", "losses/byrows.py", "models/loading.py"} <= found
    assert not {name for name in found if name.startswith(("cli/", "demo/", "methods/", "report/"))}
