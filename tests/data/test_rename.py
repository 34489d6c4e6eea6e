"""Columns of other names: what to do is told."""

import json

from unteach.data import read


def test_columns_that_are_not_known_are_to_be_renamed(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(6 * (json.dumps({"frage": "Wo?", "antwort": "Da."}) + "\n"))
    problems = read(file, "forget")[1]
    assert all("rename the columns that hold them" in problem.hint for problem in problems)
    assert problems[-1].what.endswith("(and 1 more line like this)")
    assert "Wo?" not in "".join(map(str, problems))
