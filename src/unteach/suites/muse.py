"""MUSE: news or books to be forgotten; measures VerbMem, KnowMem and PrivLeak."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from unteach.data import with_answer
from unteach.errors import Problem, UserError
from unteach.metrics.papers import MUSE
from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._sources import Source, examples_of
from unteach.types import Example, Turn

# Dataset, commit and folder names of each corpus.
CORPORA = {
    "news": ("muse-bench/MUSE-News", "506bd5b150b92814d45e4404a82f120ab2d748bf", ("news", "bbc")),
    "books": ("muse-bench/MUSE-Books", "051ba90319e920d410d87cfdbd61f25843c1b892", ("books", "hp")),
}
PROTOCOLS = {"scalability": "scal", "sustainability": "sust"}
LONGEST = 4096  # tokens: passages have up to 2,048 Llama 2 tokens, and prompts ten few-shot pairs
CONTINUED, ANSWERED = 128, 32  # new tokens of a continuation, and of an answer to a question
STOP = ("\n\n", "\nQuestion", "Question:")
OPTIONS = {
    "corpus": SuiteOption(help="what is to be forgotten", default="news", values=(*CORPORA,)),
    "protocol": SuiteOption(
        help="one request, growing requests, or requests one after the other",
        default="once",
        values=("once", *PROTOCOLS),
    ),
    "request": SuiteOption(
        help="which request of a protocol this model has forgotten",
        default="1",
        values=("1", "2", "3", "4"),
    ),
}


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """MUSE's groups, evaluated as in MUSE's own code.

    - forget, retain, holdout: raw texts, scored (PrivLeak). Under a protocol, forget is the raw
      corpus of that request, and there is no holdout: the holdout texts are cut to another length,
      so a comparison of likelihoods would compare lengths.
    - verbmem: the beginning of a forget text, to be continued for 128 tokens and compared with the
      same number of tokens of the text (MUSE's code counts a bos among those). The files leave out
      the space between the two; it is added to the answer, otherwise two words of the scored text
      would be joined.
    - knowmem, knowmem_retain: questions after ten question-answer pairs; the generated text counts
      up to an empty line or the next question, 32 tokens at most. The latter is MUSE's utility,
      also for the protocols. The prompt ends with a space; where the tokenizer joins it to the
      answer, the prompt is given without it, while MUSE's code keeps it.

    Words are compared without stemming.

    Args:
        folder: in MUSE's layout (`knowmem/forget_qa.json`, `data/bbc/knowmem/forget_qa.json`), or
            with flat names (`knowmem_forget_qa.json`, also with a prefix `sample_`); None for the
            hub.
        options: `corpus`, `protocol` and `request`.

    Raises:
        UserError: all options and files that are missing or wrong.
    """
    options = chosen("muse", OPTIONS, options)
    _check(options)
    examples = examples_of(sources(**options), folder)
    for group in ("knowmem", "knowmem_retain"):
        examples[group] = in_context(examples[group], examples.pop(f"{group}_icl"))
    examples["verbmem"] = [_with_space(example) for example in examples["verbmem"]]
    return {name: _group(name, members) for name, members in examples.items()}


def sources(corpus: str, protocol: str = "once", request: str = "1") -> list[Source]:
    """The files of a corpus, for the request of a protocol.

    Example:
        >>> [source.config for source in sources("news", "scalability", "3")][0]
        'scal'
    """
    once = protocol == "once"
    texts = [
        ("forget", "privleak", "forget") if once else _request(protocol, request),
        ("retain", "privleak", "retain"),
        *([("holdout", "privleak", "holdout")] if once else []),
        ("verbmem", "verbmem", "forget"),
    ]
    questions = [
        ("knowmem", "knowmem", "forget_qa"),
        ("knowmem_icl", "knowmem", "forget_qa_icl"),
        ("knowmem_retain", "knowmem", "retain_qa"),
        ("knowmem_retain_icl", "knowmem", "retain_qa_icl"),
    ]
    return [_source(corpus, "text", *file) for file in texts] + [
        _source(corpus, "pair", *file) for file in questions
    ]


def in_context(examples: list[Example], shown: list[Example]) -> list[Example]:
    r"""Few-shot prompts: each question after the answered ones, as raw text before its answer.

    Example:
        >>> one = Example(id="a", where="", kind="pair", turns=(Turn("user", "Who?"),
        ...               Turn("assistant", "Ada")))
        >>> in_context([one], [one])[0].turns[0].text
        'Question: Who?\nAnswer: Ada\n\nQuestion: Who?\nAnswer: '
    """
    before = "".join(f"{_prompt(example)}{example.answer}\n\n" for example in shown)
    return [
        replace(
            example,
            kind="text",
            turns=(Turn("user", before + _prompt(example)), Turn("assistant", example.answer)),
        )
        for example in examples
    ]


def _with_space(example: Example) -> Example:
    """Add a space between prompt and answer, where there is no whitespace."""
    seam = example.turns[0].text[-1:] + example.answer[:1]
    blank = any(character.isspace() for character in seam)
    return example if blank else with_answer(example, f" {example.answer}")


def _prompt(example: Example) -> str:
    return f"Question: {example.turns[0].text}\nAnswer: "


def _group(name: str, examples: list[Example]) -> Group:
    group = Group(examples=examples, template="none", stemmed=False)
    if name == "verbmem":
        return replace(group, new_tokens=CONTINUED, compared=CONTINUED)
    if name.startswith("knowmem"):
        return replace(group, new_tokens=ANSWERED, stop=STOP)
    return replace(group, generate=False)


def _check(options: Mapping[str, str]) -> None:
    once = options["protocol"] == "once"
    if options["corpus"] != "news" and not once:
        what, hint = "MUSE has its requests for news alone", "take corpus=news or protocol=once"
        raise UserError(Problem("suite muse, option protocol", what, hint, "request"))
    if once and options["request"] != "1":
        what = "there is one request only, unless a protocol is given"
        hint = "give protocol=scalability or protocol=sustainability"
        raise UserError(Problem("suite muse, option request", what, hint, "request"))


def _request(protocol: str, request: str) -> tuple[str, str, str]:
    return "forget", PROTOCOLS[protocol], f"forget_{request}"


def _source(
    corpus: str, kind: Literal["pair", "text"], group: str, config: str, split: str
) -> Source:
    dataset, revision, names = CORPORA[corpus]
    older = split.replace("retain", "retain2")  # the name before the hub's last commit
    splits = tuple(dict.fromkeys((split, older)))
    return Source(
        group=group,
        files=tuple(
            form.format(config=config, split=name)
            for form in ("{config}/{split}", "{config}_{split}", "sample_{config}_{split}")
            for name in splits
        ),
        folders=(*names, *(f"data/{name}" for name in names), ""),
        dataset=dataset,
        config=config,
        split=split,
        revision=revision,
        kind=kind,
        needs=("turns",) if config == "verbmem" else (),
    )


SUITES.add(
    "muse",
    Suite(
        name="muse",
        version=1,
        help="MUSE: news or books, asked for word by word, by question and by likelihood.",
        read=read,
        options=OPTIONS,
        settings={"template": "none", "max_length": LONGEST, "max_new_tokens": CONTINUED},
        papers=(MUSE,),
    ),
)
