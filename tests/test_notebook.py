"""The notebook is stripped of outputs, and its cells run in order and show what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = json.loads((ROOT / "examples" / "unlearn.ipynb").read_text("utf-8"))
CODE = ["".join(cell["source"]) for cell in BOOK["cells"] if cell["cell_type"] == "code"]
# Cells share their names as in a notebook, and a last expression is shown as one shows it.
RUN = """
import ast, json, sys
names = {"__name__": "__main__"}
for number, code in enumerate(json.load(sys.stdin)):
    body = ast.parse(code).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), f"cell {number}", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        show = getattr(value, "_repr_markdown_", None)
        if value is not None:
            print(show() if show else value)
"""


def test_it_holds_no_outputs_and_every_cell_is_python():
    assert len(CODE) >= 6
    for cell in BOOK["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell["metadata"] == {}
    for code in CODE:
        compile(code, "cell", "exec")


@pytest.mark.slow
def test_its_cells_run_in_order_in_a_process_of_their_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN], input=json.dumps(CODE), text=True,
        capture_output=True, check=False, cwd=tmp_path, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    shown = done.stdout
    assert "# Unlearning report: unseen" in shown
    numbers = {
        name: json.loads(rest)
        for name, _, rest in (line.partition(" ") for line in shown.splitlines())
        if name in ("forget", "retain", "holdout")
    }
    before, after = numbers["forget"]
    assert before > 0.9
    assert after < 0.7
    assert numbers["retain"][1] > 0.8
    assert shown.count("    unlearned: ") == 6
    assert "next: unteach" in shown
