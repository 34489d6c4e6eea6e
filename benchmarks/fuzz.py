"""Readers and the request parser under atheris, which looks for bytes that reach new lines.

    pip install atheris
    python benchmarks/fuzz.py FOLDER -max_total_time=300

FOLDER keeps what reached something new; further arguments are libFuzzer's. The first byte of an
input chooses what reads the rest. tests/hostile/test_fuzz.py does the like without atheris.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["unteach", "yaml", "json", "csv"]):
    from unteach.data import read
    from unteach.errors import UserError
    from unteach.files.rows import read_rows
    from unteach.files.yaml import read_yaml
    from unteach.settings.request import Request, load

KINDS = (".jsonl", ".json", ".csv", ".txt", ".jsonl.gz", ".yaml", ".rows")
FLAGS = {"model": "m", "forget": "f", "out": "o"}
FOLDER = Path(tempfile.mkdtemp())


def once(data: bytes) -> None:
    kind = KINDS[data[0] % len(KINDS)] if data else ".jsonl"
    file = FOLDER / f"a{kind}"
    file.write_bytes(data[1:])
    told = []
    try:
        if kind == ".yaml":
            request = load(file, FLAGS)
            assert Request.model_validate(read_yaml(request.to_yaml(), "again")) == request
        elif kind == ".rows":
            read_rows(file)
        else:
            examples, told = read(file, "forget")
            assert examples or told
    except UserError as error:
        told = error.problems
    assert all(problem.where for problem in told)


if __name__ == "__main__":
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()
