"""Check a whole evaluation before any weights are loaded, and report all problems at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unteach.checks.gates import gate_problems
from unteach.checks.model import CheckedModel, check_adapter, check_model
from unteach.checks.model_pair import ModelInfo, unlike
from unteach.checks.token_ids import check_answers, knows_more
from unteach.data import context_length, encode_each, try_tokenizer
from unteach.data.listing import shortened
from unteach.errors import Problem, UserError, require
from unteach.evaluation.loading import sharded
from unteach.evaluation.request import YARDSTICKS, Evaluation
from unteach.files import check_out, overlap
from unteach.files.rows import read_rows
from unteach.models.source import adapter_problem, holds_adapters_only, pin_note, pinned
from unteach.models.unchanged import Ages, ages_of
from unteach.suites import SUITES, AskSettings, Group, Suite
from unteach.suites._options import chosen
from unteach.suites.own import sample
from unteach.suites.questions import Question, questions, size_of
from unteach.types import ROLES, Row

FLAGS = {"original": "--reference-model", "retrained": "--retrained"}
LONGEST = 2048  # default maximum of tokens per text, for models with a longer context


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A model's path, the base model of its adapters, and its checked configuration.

    The flag names it in messages. The models of a run are checked with the run.
    """

    path: str
    base: str
    checked: CheckedModel = field(default_factory=lambda: CheckedModel(None))
    tokenizer: Any
    flag: str = "--model"

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self.checked.config


def _original_states() -> Any:
    from unteach.inference import OriginalStates  # imports torch, which a failed check needs not

    return OriginalStates()


@dataclass(frozen=True, kw_only=True)
class CheckedEvaluation:
    """A checked evaluation, with its suite, examples and models.

    Attributes:
        asked: the evaluation as requested, with revisions pinned.
        suite: the suite.
        options: of the suite, with defaults filled in.
        groups: examples by group; empty for a suite that runs its own evaluation.
        settings: for scoring and generation.
        places: every model by its label.
        never: rows of a retrained model, given in place of the model.
        notes: notes for the user that are not errors.
        ages: `ages` of the models' files at the time of the check.
        states: what the original's forwards leave for the models that are asked after it.
    """

    asked: Evaluation
    suite: Suite
    options: dict[str, str]
    groups: dict[str, Group]
    settings: AskSettings
    places: dict[str, ModelRef]
    never: dict[str, list[Row]] | None = None
    notes: tuple[Problem, ...] = ()
    ages: Mapping[str, Ages] = field(default_factory=dict)
    states: Any = field(default_factory=_original_states, repr=False)
    _questions: dict[Any, list[Question]] = field(default_factory=dict, repr=False)

    def questions(self, tokenizer: Any) -> list[Question]:
        """What the models with such a tokenizer are asked; tokenised for the first of them."""
        key = _kind_of(tokenizer)
        if key not in self._questions:
            self._questions[key] = questions(self.groups, tokenizer, self.settings)
        return self._questions[key]


def _kind_of(tokenizer: Any) -> tuple[Any, ...]:
    """All that decides what a fast tokenizer makes of a text, and back."""
    return (
        type(tokenizer),
        hash(tokenizer.backend_tokenizer.to_str()),
        str(tokenizer.special_tokens_map),
        str(tokenizer.chat_template),
        tokenizer.clean_up_tokenization_spaces,
    )


def check(asked: Evaluation) -> CheckedEvaluation:
    """Check everything at once, without loading weights.

    Raises:
        UserError: all problems.
    """
    from unteach.models.loading import device_problem

    problems = check_out(asked.out, overwrite=asked.overwrite)
    problems += overlap(asked.out, *_inputs(asked))
    problems += [problem] if (problem := device_problem(asked.device)) else []
    if asked.retrained and asked.reference_rows:
        what, hint = "is given beside --retrained", "give one of the two"
        problems.append(Problem("--reference-rows", what, hint, "request"))
    if asked.gradient_norms and sharded(asked.bits):
        what = "weights in shards (FSDP) do not give the gradient of one text"
        hint = "leave it out, or start the processes without FSDP"
        problems.append(Problem("--gradient-norms", what, hint, "request"))
    places = {name: _attempt(problems, _model_ref, name, asked) for name in asked.paths}
    problems += _vocabulary_problems(places)
    suite = _attempt(problems, _suite, asked.suite)
    if suite and suite.harness and asked.keep_text:
        what = f"the suite {suite.name} asks by itself, and hands out no texts"
        problems.append(Problem("--keep-text", what, "leave it out", "request"))
    options = _attempt(problems, _options, suite, asked) if suite else None
    groups = _attempt(problems, _groups, suite, options, asked) if options is not None else {}
    examples = {name: group.examples for name, group in (groups or {}).items()}
    problems += _gates(asked, examples)
    for place in places.values() if examples else ():
        if place:
            where = f"{place.flag} {place.path}"
            problems += try_tokenizer(place.tokenizer, examples, asked.template, where)
    problems += [] if problems else _unknown_tokens(places, groups or {}, asked.template)
    never = None
    if asked.reference_rows:
        never = _attempt(problems, _reference_rows, asked.reference_rows, asked.suite, groups or {})
    if problems:
        raise UserError(*problems)
    found: Any = suite  # not None: a missing suite is a problem and was raised above
    settings = _settings(asked, found, list(places.values()))
    notes = _notes(groups or {}, settings, places)
    return CheckedEvaluation(
        asked=_pinned(asked, places),
        suite=found,
        options=options or {},
        groups=groups or {},
        settings=settings,
        places=places,
        never=never,
        notes=(*_model_notes(asked, places), *notes),
        ages=ages_of(path for place in places.values() for path in (place.path, place.base)),
    )


def _gates(asked: Evaluation, examples: dict[str, Any]) -> list[Problem]:
    """Problems of gates that this evaluation could not answer."""
    gates, problems = asked.gates, []
    if not gates.declared:
        return []
    if asked.suite != "own":
        hint = "take --suite own with your files, or leave --gates out"
        return [Problem("--gates", "are of your own files", hint, "request")]
    if len(asked.models) > 1:
        what = f"are of one model, and {len(asked.models)} are given"
        problems.append(Problem("--gates", what, "give one --model", "request"))
    if not asked.original and any((gates.retain, gates.holdout, gates.fluency)):
        what = "are shares of what the model before had, and it is not given"
        hint = "give --reference-model, or --gates membership=0.1,given=0"
        problems.append(Problem("--gates", what, hint, "request"))
    also = [name for name in examples if name not in ROLES]
    if not examples:  # the files' own problems are reported elsewhere
        return problems
    return [*problems, *gate_problems(gates, examples, shared=False, others=also)]


def _notes(
    groups: dict[str, Group], settings: AskSettings, places: dict[str, ModelRef]
) -> list[Problem]:
    """Notes on the files, and on parts of conversations that a chat template leaves out.

    Raises:
        UserError: a chat template refuses examples.
    """
    problems = [note for group in groups.values() for note in group.notes]
    for group in groups.values():
        chats = [example for example in group.examples if example.kind == "chat"]
        for place in {str(p.tokenizer.chat_template): p for p in places.values()}.values():
            template, length = group.template or settings.template, settings.max_length
            found = encode_each(chats, place.tokenizer, max_length=length, template=template)
            if found.refused:
                raise UserError(*shortened(found.refused))
            problems += [p for p in found.told if p.kind == "note" and p not in problems]
    return shortened(problems)


def _inputs(asked: Evaluation) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Flags and paths of the models, and of the other files and folders."""
    models = [(f"model {name}", path) for name, path in asked.paths.items()]
    others = [("--data", asked.data), ("--reference-rows", asked.reference_rows)]
    return models, [*others, ("--cache", asked.cache)]


def _pinned(asked: Evaluation, places: dict[str, ModelRef]) -> Evaluation:
    """The same evaluation with hub revisions pinned to commits."""
    paths = {name: place.path for name, place in places.items()}
    yardsticks = {name: paths[name] for name in YARDSTICKS if name in paths}
    models = {name: paths.get(name, path) for name, path in asked.models.items()}
    return asked.model_copy(update={"models": models, **yardsticks})


def _model_notes(asked: Evaluation, places: dict[str, ModelRef]) -> Iterator[Problem]:
    for name, place in places.items():
        yield from place.checked.notes
        if note := pin_note(asked.paths[name], FLAGS.get(name, "--model")):
            yield note


def _suite(name: str) -> Suite:
    try:
        return SUITES.get(name)
    except KeyError as error:
        raise UserError(Problem("--suite", str(error.args[0]), "", "request")) from None


def _options(suite: Suite, asked: Evaluation) -> dict[str, str]:
    given = dict(asked.options)
    if suite.harness and asked.limit:
        given.setdefault("limit", str(asked.limit))
    return chosen(suite.name, suite.options, given)


def _groups(suite: Suite, options: dict[str, str], asked: Evaluation) -> dict[str, Group]:
    groups = suite.read(asked.data, options)
    if asked.limit is None:
        return groups
    return {name: _limited(group, asked.limit) for name, group in groups.items()}


def _limited(group: Group, limit: int) -> Group:
    return replace(group, examples=sample(group.examples, limit))


def _reference_rows(file: Path, suite: str, groups: dict[str, Group]) -> dict[str, list[Row]]:
    """Read the rows of a retrained model, and check that they are of the same suite and examples.

    Raises:
        UserError: another suite, missing examples, or other texts.
    """
    found, about = read_rows(file)
    where, hint = f"--reference-rows {file}", "write them anew with this suite and these files"
    if about.get("suite", suite) != suite:
        what = f"answers the suite {about['suite']}, not {suite}"
        raise UserError(Problem(where, what, hint, "request"))
    problems, kept = [], {}
    for name, group in groups.items():
        wanted = {example.id: size_of(example.answer) for example in group.examples}
        rows = {row.id: row for row in found.get(name, []) if row.kind == "answer"}
        missing = len(wanted.keys() - rows)
        others = sum(id in rows and rows[id].zlib != size for id, size in wanted.items())
        for count, what in ((missing, "lacks"), (others, "is of other texts in")):
            if count:
                what = f"{what} {count} of the {len(wanted)} examples of {name}"
                problems.append(Problem(where, what, hint, "request"))
        kept[name] = [row for row in found.get(name, []) if row.id.split("/")[0] in wanted]
    if problems:
        raise UserError(*problems)
    return kept


def _settings(asked: Evaluation, suite: Suite, places: list[ModelRef]) -> AskSettings:
    """The suite's settings with the user's overrides, and texts no longer than any context."""
    contexts = [context_length(place.config, place.tokenizer) for place in places]
    made = {"max_length": LONGEST, "template": asked.template, **suite.settings}
    if asked.max_length:
        made["max_length"] = asked.max_length
    if asked.max_new_tokens:
        made["max_new_tokens"] = asked.max_new_tokens
    made["max_length"] = min(made["max_length"], *contexts)
    return AskSettings(**made, tokens_per_batch=asked.tokens_per_batch)


def _model_ref(name: str, asked: Evaluation) -> ModelRef:
    from unteach.models.loading import load_tokenizer

    path = asked.paths[name]
    flag = FLAGS.get(name, "--model")
    base = _base_model(path, asked.original, flag)
    trusted = asked.trust_remote_code
    checked = check_model(
        base, flag, trust_remote_code=trusted, bits=asked.bits, device=asked.device
    )
    named = path if Path(path, "tokenizer_config.json").exists() else base
    if base != path:
        require(adapter_problem(path, f"{flag} {path}"))
        check_adapter(checked.empty, path, flag)
    return ModelRef(
        path=pinned(path),
        base=pinned(base),
        flag=flag,
        checked=checked,
        tokenizer=load_tokenizer(named, flag=flag, trust_remote_code=trusted),
    )


def _vocabulary_problems(places: dict[str, Any]) -> list[Problem]:
    """Problems for models whose vocabulary or tokenizer differs from the original's."""
    original, problems = places.get("original"), []
    if not original:
        return []
    hint = "give the model that this one was made of, or leave --reference-model out"
    wanted = ModelInfo(original.config, original.tokenizer)
    for place in filter(None, places.values()):
        what, _ = unlike(ModelInfo(place.config, place.tokenizer), wanted, "--reference-model")
        if what:
            problems.append(Problem(f"{place.flag} {place.path}", what, hint, "request"))
    return problems


def _unknown_tokens(
    places: dict[str, Any], groups: dict[str, Group], template: str
) -> list[Problem]:
    """Problems for token ids without an embedding row, where a tokenizer has more tokens."""
    found: dict[str, Problem] = {}
    for place in filter(None, places.values()):
        empty, tokenizer = place.checked.empty, place.tokenizer
        if not knows_more(empty, tokenizer):
            continue
        how: Any = {"max_length": LONGEST, "template": template}
        examples = {name: group.examples for name, group in groups.items()}
        sequences = {n: encode_each(e, tokenizer, **how).sequences for n, e in examples.items()}
        unknown = check_answers(empty, tokenizer, examples, sequences, **how)
        found |= {str(problem): problem for problem in unknown}
    return list(found.values())


def _base_model(path: str, original: str | None, flag: str) -> str:
    """The base model: the original for a folder with adapters only, else the path itself."""
    if not holds_adapters_only(path):
        return path
    if not original or original == path:
        hint = "give the model that they were made for as --reference-model"
        raise UserError(Problem(f"{flag} {path}", "holds adapters only", hint, "request"))
    return original


def _attempt(problems: list[Problem], function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except UserError as error:
        problems += error.problems
        return None
