"""Check a whole request before any weights are loaded, and report all problems at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from unteach.checks.automatic import method_of, teacher_problem, without_teacher
from unteach.checks.defaults import resolve
from unteach.checks.earlier import (
    EarlierData,
    earlier_notes,
    find_earlier,
    nothing_held,
    same_tokens,
    with_earlier,
)
from unteach.checks.few_persons import few_persons
from unteach.checks.files import is_done, overlapping_inputs, read_groups, written
from unteach.checks.gates import gate_problems
from unteach.checks.made_holdout import made_calibration, made_holdout_of
from unteach.checks.model import CheckedModel, check_model
from unteach.checks.model_pair import ModelInfo, check_base, require_comparable
from unteach.checks.preset import with_preset
from unteach.checks.retraining import retraining_problems
from unteach.checks.token_ids import check_answers, check_refusals
from unteach.checks.trainable import check_training
from unteach.checks.trained_on import (
    alternate_problems,
    encoded_forms,
    formed_of,
    require_choice,
)
from unteach.checks.training import training_problems
from unteach.data import (
    check_again,
    check_data,
    check_tokenizer,
    encode_all,
    try_tokenizer,
)
from unteach.data.calibration import calibrating_half, second_halves
from unteach.errors import Problem, UserError
from unteach.files import check_out, check_room
from unteach.models.source import pin_note, pinned
from unteach.models.unchanged import Ages, ages_of
from unteach.settings.request import MADE, Request
from unteach.training.training_data import TrainingData
from unteach.types import Example, Sequence


@dataclass(frozen=True, kw_only=True)
class CheckedRequest:
    """A request that was checked, with its method, tokenizer and examples.

    Attributes:
        request: the request with all defaults.
        method: the method, built with its options.
        tokenizer: of the model.
        groups: examples by role.
        sequences: the same, tokenised.
        calibration: tokenised holdout examples that set levels in training; none of them is in
            `groups`, which evaluate the result, unless there are too few to split.
        forms: tokenised examples by role with their questions in further wordings, trained on too.
        formed: the forget examples among them.
        earlier: earlier requests of the model; those that are asked have a group of their own.
        whole: all examples by role where `groups` has a half of them (`evaluate.half`), else empty.
        notes: notes for the user.
        ages: `ages` of the models' files at the time of the check.
    """

    request: Request
    method: Any
    tokenizer: Any
    groups: dict[str, list[Example]]
    sequences: dict[str, list[Sequence]]
    calibration: list[Sequence] = field(default_factory=list)
    forms: dict[str, list[Sequence]] = field(default_factory=dict)
    formed: list[Example] = field(default_factory=list)
    earlier: tuple[EarlierData, ...] = ()
    whole: dict[str, list[Example]] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()
    ages: Mapping[str, Ages] = field(default_factory=dict)


def check(request: Request) -> CheckedRequest:
    """Check everything at once; loads no weights and puts nothing on an accelerator.

    Raises:
        UserError: all problems of the request and of the data.
    """
    checking = _Check(request)
    checking.settings()
    checking.models()
    checking.data()
    if checking.known:
        checking.defaults()
        checking.tokens()
        checking.remember()
    checking.what_is_trained_on()
    checking.teacher()
    checking.beside()
    return checking.result()


class _Check:
    """The steps of a check, in order, and what they found so far.

    Args:
        request: as it was given; each step may fill in more of it.
    """

    def __init__(self, request: Request):
        self.request = self.wanted = request
        self.ages = ages_of([request.model, request.retrained, request.base])
        self.problems: list[Problem] = []
        self.settled: list[Problem] = []  # of the defaults that were filled in
        self.method: Any = None
        self.tokenizer: Any = None
        self.config: Any = None
        self.empty: Any = None
        self.retrained: Any = None
        self.groups: dict[str, list[Example]] = {}
        self.whole: dict[str, list[Example]] = {}
        self.formed: dict[str, list[Example]] = {}
        self.sequences: dict[str, list[Sequence]] = {}
        self.forms: dict[str, list[Sequence]] = {}
        self.calibration: list[Sequence] = []
        self.earlier: tuple[EarlierData, ...] = ()

    def settings(self) -> None:
        """Take the preset, check the settings, and build the method."""
        from unteach.models.loading import device_problem

        if made := self._of(with_preset, self.request):
            self.request, self.problems = made
        self.problems += [*training_problems(self.request), *overlapping_inputs(self.request)]
        problem = device_problem(self.request.device)
        self.problems += [problem] if problem else []
        self.method = self._of(_method, self.request)

    def models(self) -> None:
        """Check the model and the retrained one, and load the tokenizer."""
        from unteach.training.implausible import insensible

        if checked := self._model("model"):
            self.config, self.empty = checked.config, checked.empty
            self.tokenizer = self._of(_tokenizer, self.request)
        if self.request.retrained:
            self.retrained = self._model("retrained")
        self.problems += insensible(self.request, self.config)
        self.problems += retraining_problems(self.request, self.method) if self.method else []

    def _model(self, name: str) -> CheckedModel | None:
        """Check a model, and put its hub commit into the request."""
        request = self.request
        model, flag = getattr(request, name), f"--{name}"
        check = partial(
            check_model,
            trust_remote_code=request.trust_remote_code,
            training=name == "model",
            bits=request.evaluate.bits,
            device=request.device,
        )
        if checked := self._of(check, model, flag):
            note = pin_note(model, flag)
            self.problems += [*checked.notes, note] if note else checked.notes
            self.request = request.model_copy(update={name: pinned(model)})
        return checked

    def data(self) -> None:
        """Read the examples, and those of earlier requests."""
        self.groups, found = read_groups(self.request)
        self.problems += found
        alternates = self._of(alternate_problems, self.request, self.method, self.groups)
        self.problems += [*(alternates or []), *check_data(self.groups)]
        self.earlier = self._of(find_earlier, self.request) or ()
        again = {one.request: [*one.examples] for one in self.earlier if one.examples}
        self.problems += check_again(self.groups, {a.name: found for a, found in again.items()})
        self.groups |= {asked.group: found for asked, found in again.items()}
        self.wanted = self.request
        self.problems += self.request.notes

    @property
    def known(self) -> bool:
        """Whether the method, the model and its tokenizer are known."""
        return bool(self.method and self.config and self.tokenizer)

    def defaults(self) -> None:
        """Fill in the defaults of the method for this model."""
        self.request, self.settled = resolve(self.wanted, self.method, self.config, self.tokenizer)
        self.problems += self.settled

    def tokens(self) -> None:
        """Tokenise the examples, unless the tokenizer itself has a problem."""
        request, tokenizer, template = self.request, self.tokenizer, self.request.data.template
        how = request.data.encoding
        training = self._of(check_training, request.adapter, self.method, self.empty)
        self.problems += [*(training or []), *check_tokenizer(tokenizer, self.groups, template)]
        if not self._tokenizer_failed():
            self.problems += try_tokenizer(tokenizer, self.groups, template)
        for role, examples in self._readable().items():
            self.sequences[role], found = encode_all(examples, tokenizer, **how)
            self.problems += found
        groups = self._readable()
        self.problems += check_answers(self.empty, tokenizer, groups, self.sequences, **how)
        refusals = self._of(check_refusals, request.data, self.method, self.empty, tokenizer)
        self.problems += refusals or []
        forget = self.sequences.get("forget", [])
        self._of(require_choice, self.method, forget, request.train.seed)

    def remember(self) -> None:
        """Tell what of earlier requests is held, and settle the request's part of it."""
        if self.sequences:
            cut = self.request.data.max_length, self.request.data.template
            self.earlier = same_tokens(self.earlier, self.groups, self.sequences, cut)
        self.problems += earlier_notes(self.earlier)
        self.problems += nothing_held(self.request, self.earlier)
        self.request = with_earlier(self.request, self.earlier, self.method)

    def what_is_trained_on(self) -> None:
        """Add wordings and a made holdout, and part what trains from what judges."""
        self.formed = formed_of(self.groups, self.request)
        if self.sequences:
            self.forms, found = encoded_forms(self.formed, self.tokenizer, self.request)
            self.problems += found
        if self.request.holdout == MADE and self.sequences.get("forget"):
            given = self.request, self.tokenizer, self.groups, self.sequences
            self.problems += self._of(made_holdout_of, *given) or []
        if self.request.evaluate.half == "second":
            self.whole, found = second_halves(self.groups)
            self.problems += found
        if self.sequences.get("holdout"):
            whole_holdout = self.groups["holdout"]
            self.calibration, found = calibrating_half(self.groups, self.sequences)
            self.problems += found
            if self.request.holdout != MADE:
                self.problems += few_persons(whole_holdout, self.calibration, self.tokenizer)
            level = {sequence.id for sequence in self.calibration}
            shown = [s for s in self.forms.get("holdout", []) if s.id.partition("+")[0] in level]
            self.forms = {**self.forms, "holdout": shown} if self.forms else {}
        if self.groups.get("forget"):
            judging = {example.id for example in self.groups.get("holdout", [])}
            both = any(s.id.partition("/")[0] in judging for s in self.calibration)
            also = list(self.request.evaluate.also)
            self.problems += gate_problems(
                self.request.gates, self.groups, shared=both, others=also
            )

    def teacher(self) -> None:
        """Check that the data allow a teacher; without one, take a method that needs none."""
        if self.method and not self._tokenizer_failed():
            found = teacher_problem(
                self.wanted, self.method, self.sequences, self.calibration, self.tokenizer
            )
            if found and (instead := without_teacher(self.wanted, found)):
                self.method, found = instead
                self.problems = [p for p in self.problems if p not in self.settled]
                self.defaults()
                self.request = with_earlier(self.request, self.earlier, self.method)
            self.problems += [found] if found else []
        if self.request.train.draw_back == "made" and self.sequences.get("forget"):
            given = self.request, self.wanted, self.tokenizer, self.groups, self.sequences
            if made := self._of(made_calibration, *given):
                self.request, self.calibration, found = made
                self.problems += found

    def beside(self) -> None:
        """Check the other models beside the model, and the folder of the result."""
        request = self.request
        if self.config and self.tokenizer:
            known = ModelInfo(self.config, self.tokenizer)
            if self.retrained:
                self._of(require_comparable, request, "retrained", self.retrained.config, known)
            if request.base and self.method:
                given = request, self.method, known, self.empty
                self.problems += self._of(check_base, *given) or []
        if not is_done(request):
            unfit = check_out(request.out, overwrite=request.overwrite)
            self.problems += unfit or check_room(request.out, written(request))

    def result(self) -> CheckedRequest:
        """Return the checked request. Raises UserError if something is wrong."""
        notes = tuple(p for p in self.problems if p.kind == "note")
        if len(notes) < len(self.problems):
            raise UserError(*sorted(self.problems, key=lambda p: p.kind == "note"))
        return CheckedRequest(
            request=self.request,
            method=self.method,
            tokenizer=self.tokenizer,
            groups=self.groups,
            sequences=self.sequences,
            calibration=self.calibration,
            forms=self.forms,
            formed=self.formed.get("forget", []),
            earlier=self.earlier,
            whole=self.whole,
            notes=notes,
            ages=self.ages,
        )

    def _of(self, function: Any, *args: Any) -> Any:
        """Return what a function returns; None, with its problems kept, where it raises them."""
        try:
            return function(*args)
        except UserError as error:
            self.problems += error.problems
            return None

    def _readable(self) -> dict[str, list[Example]]:
        return {} if self._tokenizer_failed() else self.groups

    def _tokenizer_failed(self) -> bool:
        """Whether the tokenizer has a problem itself, which every example would report again."""
        about = ("tokenizer", "data.template")
        return any(p.where in about and p.kind != "note" for p in self.problems)


def training_data(intake: CheckedRequest, known: Collection[str] = ()) -> TrainingData:
    """What training reads; of earlier requests only what the request wants held.

    Args:
        intake: the checked request.
        known: groups that are known again already: held, they would stay so.
    """
    asked = [one.request.group for one in intake.earlier if one.examples]
    groups = [group for group in asked if group not in known] if intake.request.train.replay else []
    return TrainingData(
        forget=intake.sequences.get("forget", []),
        retain=intake.sequences.get("retain", []),
        holdout=intake.calibration,
        replay=[sequence for group in groups for sequence in intake.sequences.get(group, [])],
        forms=intake.forms,
        examples=[*(intake.whole or intake.groups)["forget"], *intake.formed],
    )


def _method(request: Request) -> Any:
    from unteach.methods import load_plugin

    for plugin in request.plugins:
        load_plugin(plugin)
    return method_of(request)


def _tokenizer(request: Request) -> Any:
    from unteach.models.loading import load_tokenizer

    return load_tokenizer(request.model, trust_remote_code=request.trust_remote_code)
