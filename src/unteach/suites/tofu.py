"""TOFU: questions about fictitious authors, some of whom are to be forgotten."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unteach.metrics.papers import TOFU
from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._sources import Source, examples_of, place_of

DATASET = "locuslab/TOFU"
REVISION = "324592d84ae4f482ac7249b9285c2ecdb53e3a68"
SIZES = {"forget01": 40, "forget05": 200, "forget10": 400}  # each is the end of the next larger one
NEW_TOKENS = 200  # TOFU's own evaluation counts the question among its 200 tokens, we do not
OPTIONS = {
    "split": SuiteOption(
        help="which authors are to be forgotten", default="forget10", values=(*SIZES,)
    ),
    "retain_rows": SuiteOption(
        help="how many of the 400 retain questions are asked: TOFU's own evaluation asks 300",
        default="300",
        values=("300", "400"),
    ),
}


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """TOFU's groups: forget, retain, authors (real ones), facts (of the world), holdout.

    All forget questions are used; TOFU's own evaluation uses the first 300. Forget and retain
    answers have a paraphrase and five wrong answers; real authors and facts have three wrong
    answers, and the answer itself is used in place of a paraphrase. Examples are identified by row
    number, since one question occurs for two authors.

    TOFU's own evaluation also cuts question and answer together to 200 tokens, and where its
    template has an `Answer: ` (as for Phi) counts that as part of the answer. This suite does
    neither.

    Args:
        folder: of the files of the dataset, as .jsonl or .json; None for the hub. forget05 and
            forget01 are also read from the end of a larger file; the holdout may be missing.
        options: `split` and `retain_rows`.

    Raises:
        UserError: all options and files that are missing or wrong.
    """
    options = chosen("tofu", OPTIONS, options)
    examples = examples_of(sources(options["split"]), folder)
    examples["retain"] = examples["retain"][: int(options["retain_rows"])]
    return {name: Group(examples=rows, new_tokens=NEW_TOKENS) for name, rows in examples.items()}


def sources(split: str) -> list[Source]:
    """The files of a split (forget01, forget05 or forget10).

    Example:
        >>> [source.config for source in sources("forget05")][:2]
        ['forget05_perturbed', 'retain_perturbed']
    """
    larger = tuple(f"{name}_perturbed" for name, n in SIZES.items() if n > SIZES[split])
    both = ("paraphrase", "perturbed")
    return [
        _source("forget", f"{split}_perturbed", needs=both, larger=larger, last=SIZES[split]),
        _source("retain", "retain_perturbed", needs=both),
        _source("authors", "real_authors_perturbed", needs=("perturbed",)),
        _source("facts", "world_facts_perturbed", needs=("perturbed",)),
        _source("holdout", split.replace("forget", "holdout"), optional=True),
    ]


def training(folder: Path | None, options: Mapping[str, str]) -> dict[str, str]:
    """What a run on TOFU is given: forget, retain and holdout, and the groups that are only asked.

    The retain file is the whole of the authors that stay (`retain90` for `forget10`); in a folder
    without it the 400 questions with paraphrases are trained on.

    Raises:
        UserError: all options and files that are missing or wrong.
    """
    split = chosen("tofu", OPTIONS, options)["split"]
    whole = f"retain{100 - int(split.removeprefix('forget'))}"
    kept = _source("retain", whole)
    files = replace(kept, files=(whole, "retain_perturbed"))
    found = [replace(source, larger=()) for source in sources(split) if source.group != "retain"]
    return place_of([*found, files], folder)


def _source(group: str, config: str, **rest) -> Source:
    places = {"files": (config,), "folders": ("", "data")}
    return Source(group=group, config=config, dataset=DATASET, revision=REVISION, **places, **rest)


SUITES.add(
    "tofu",
    Suite(
        name="tofu",
        version=1,
        help="TOFU: questions about made-up authors, some to be forgotten.",
        read=read,
        options=OPTIONS,
        settings={"max_new_tokens": NEW_TOKENS},
        papers=(TOFU,),
        training=training,
    ),
)
