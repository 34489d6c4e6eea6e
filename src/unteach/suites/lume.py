"""LUME: stories, made-up people and real biographies to be forgotten (SemEval-2025 task 4)."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._records import Record, Records, collected
from unteach.types import Paper

NEW_TOKENS = 256
COLUMNS = ("id", "input", "output", "task")
KINDS = {"qa": "question", "sc": "completion"}  # the end of an id, before its last digit
GROUPS = {  # by group: which file, and which of its records
    "forget": ("forget", "question"),
    "completion": ("forget", "completion"),
    "retain": ("retain", "question"),
    "completion_retain": ("retain", "completion"),
}
MEMBERS = {"forget": "member", "holdout": "nonmember"}  # files of the membership attack
PAPER = Paper(
    title="LUME: LLM Unlearning with Multitask Evaluations",
    authors="Anil Ramakrishna and Yixin Wan and Xiaomeng Jin and Kai-Wei Chang and Zhiqi Bu and "
    "Bhanukiran Vinzamuri and Volkan Cevher and Mingyi Hong and Rahul Gupta",
    year=2025,
    arxiv="2502.15097",
    where="regurgitation and knowledge, by task",
)
OPTIONS = {
    "part": SuiteOption(
        help="the questions and completions, or the texts of the membership attack",
        default="tasks",
        values=("tasks", "mia"),
    ),
    "task": SuiteOption(
        help="stories (1), made-up people (2) or real biographies (3)",
        default="all",
        values=("all", "1", "2", "3"),
    ),
    "split": SuiteOption(
        help="of the files of the SemEval task", default="train", values=("train", "validation")
    ),
}


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """LUME's groups, prompted without a template, as in the SemEval task's own evaluation.

    - forget, retain: questions. LUME's knowledge score counts an answer that is the right one
      alone; here `fact_recall` counts one that contains it, as a model may go on.
    - completion, completion_retain: beginnings of documents, to be continued. Their
      `rouge_l_recall` is LUME's regurgitation score.
    - with `part=mia` instead: forget and holdout, the member and nonmember texts.

    LUME's aggregate is the harmonic mean of these scores by task; give `task=1`, 2 and 3 in turn.

    Args:
        folder: with `forget_train` and `retain_train` (or `_validation`; the authors' `forget` and
            `retain` too), also in `data`; and `mia_data` with `member` and `nonmember`.
        options: `part`, `task` and `split`.

    Raises:
        UserError: all options and files that are missing or wrong.
    """
    options = chosen("lume", OPTIONS, options)
    if options["part"] == "mia":
        inner = folder / "mia_data" if folder and (folder / "mia_data").is_dir() else folder
        texts = {name: Records([file], ["document"], _text) for name, file in MEMBERS.items()}
        return {
            name: Group(examples=found, template="none", generate=False)
            for name, found in collected(inner, "lume", texts).items()
        }
    split, task = options["split"], options["task"]
    parts = {}
    for name, (role, kind) in GROUPS.items():
        files = [f"{role}_{split}", *([role] if split == "train" else [])]
        parts[name] = Records(files, COLUMNS, partial(_row, kind=kind, task=task))
    return {
        name: Group(examples=found, template="none", new_tokens=NEW_TOKENS)
        for name, found in collected(folder, "lume", parts).items()
    }


def kind_of(id: str) -> str:
    """Return whether a record is a question or a completion, by its id; empty for neither.

    Example:
        >>> kind_of("1444815qa0"), kind_of("23408469sc1"), kind_of("12")
        ('question', 'completion', '')
    """
    return KINDS.get(id[:-1][-2:], "")


def _row(record: Record, *, kind: str, task: str) -> Record | None:
    if kind_of(record["id"]) != kind or task not in ("all", record["task"].removeprefix("Task")):
        return None
    fact = {"fact": record["output"]} if kind == "question" else {}
    return {"prompt": record["input"], "completion": record["output"], **fact}


def _text(record: Record) -> Record:
    return {"text": record["document"]}


SUITES.add(
    "lume",
    Suite(
        name="lume",
        version=1,
        help="LUME (SemEval-2025 task 4): stories, made-up people and biographies.",
        read=read,
        options=OPTIONS,
        settings={"max_new_tokens": NEW_TOKENS},
        papers=(PAPER,),
    ),
)
