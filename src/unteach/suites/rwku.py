"""RWKU: famous people whom a model knows from its pretraining, to be forgotten."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._records import Record, Records, collected
from unteach.types import Paper

NEW_TOKENS = 30
STOP = ("\n",)
PAPER = Paper(
    title="RWKU: Benchmarking Real-World Knowledge Unlearning for Large Language Models",
    authors="Zhuoran Jin and Pengfei Cao and Chenhao Wang and Zhitao He and Hongbang Yuan and "
    "Jiachun Li and Yubo Chen and Kang Liu and Jun Zhao",
    year=2024,
    arxiv="2406.10890",
    where="the probes of three levels, the neighbours and the membership sets",
    venue="NeurIPS 2024, datasets and benchmarks",
)
BLANK = "Please complete the blank in the following question.\nQuestion: {}"
ASK = "Please briefly answer the following question.\nQuestion: {}"
SHOWN = "Please briefly answer the following question.\n{}"  # the probe brings its own examples
GROUPS = {  # by group: the file, and how its probes are asked
    "forget": ("forget_level2", ASK),
    "cloze": ("forget_level1", BLANK),
    "adversarial": ("forget_level3", ASK),
    "retain": ("neighbor_level2", ASK),
    "cloze_retain": ("neighbor_level1", BLANK),
}
OPTIONS = {
    "part": SuiteOption(
        help="the probes, or the texts of the membership attack",
        default="probes",
        values=("probes", "mia"),
    ),
    "subject": SuiteOption(help="one target's name, where the files hold several", default="all"),
}


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """RWKU's groups: probes about the targets, and about their neighbours.

    - forget, cloze, adversarial: questions, blanks to fill, and nine kinds of attack about what is
      to be forgotten (levels 2, 1 and 3).
    - retain, cloze_retain: questions and blanks about neighbours.
    - with `part=mia` instead: forget and retain, the texts of the membership sets.

    RWKU's score is `rouge_l_recall` of at most 30 tokens up to the first line end. Its own
    evaluation begins the model's turn with "Answer:" after the chat template; this suite does not.

    Args:
        folder: with `forget_level1` to 3, `neighbor_level1` and 2 (`mia_forget` and `mia_retain`):
            the folder of one target, or files of all targets.
        options: `part` and `subject`.

    Raises:
        UserError: all options and files that are missing or wrong, or nothing about the subject.
    """
    options = chosen("rwku", OPTIONS, options)
    subject = options["subject"]
    if options["part"] == "mia":
        text = partial(_text, subject=subject)
        texts = {name: Records([f"mia_{name}"], ["text"], text) for name in ("forget", "retain")}
        found = collected(folder, "rwku", texts)
        groups = {name: Group(examples=some, generate=False) for name, some in found.items()}
    else:
        probes = {
            name: Records([file], ["query", "answer"], partial(_probe, ask=ask, subject=subject))
            for name, (file, ask) in GROUPS.items()
        }
        groups = {
            name: Group(examples=some, new_tokens=NEW_TOKENS, stop=STOP)
            for name, some in collected(folder, "rwku", probes).items()
        }
    if "forget" not in groups:
        what, hint = "no file holds a record about it", "write the name as the files do"
        raise UserError(Problem("suite rwku, option subject", what, hint, "request"))
    return groups


def _probe(record: Record, *, ask: str, subject: str) -> Record | None:
    if subject not in ("all", record.get("subject")):
        return None
    form = SHOWN if record.get("type") == "incontext learning" else ask
    about = {"subject": record["subject"]} if record.get("subject") else {}
    answer = record["answer"]
    return {"question": form.format(record["query"]), "answer": answer, "fact": answer, **about}


def _text(record: Record, *, subject: str) -> Record | None:
    return {"text": record["text"]} if subject in ("all", record.get("subject")) else None


SUITES.add(
    "rwku",
    Suite(
        name="rwku",
        version=1,
        help="RWKU: famous people whom a model knows from its pretraining.",
        read=read,
        options=OPTIONS,
        settings={"max_new_tokens": NEW_TOKENS},
        papers=(PAPER,),
    ),
)
