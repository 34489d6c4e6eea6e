"""Define the request: all settings of a run, read from a YAML file, flags and `--set`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from unteach.errors import Problem, UserError, require
from unteach.files.text import read_text
from unteach.files.yaml import DEEPEST, LONGEST, NO_TEXT, read_yaml, to_yaml
from unteach.registry import did_you_mean
from unteach.settings.gates import Gates, spelled
from unteach.settings.messages import ALIKE, NAME, explained, fields_of, texts_in
from unteach.settings.renamed import RENAMED, renaming_notes, under_new_names
from unteach.settings.sections import (
    AdapterSettings,
    AttackSettings,
    DataSettings,
    EvaluateSettings,
    Section,
    Source,
    TrainSettings,
    Word,
)
from unteach.settings.union_errors import by_setting

# Settings that may change before an interrupted run resumes: where the result goes, whether the run
# may start, how often checkpoints are written, and who is sent the numbers.
FREE: Any = {
    "out": True,
    "overwrite": True,
    "train_anyway": True,
    "request_id": True,
    "operator": True,
    "not_at_hand": True,
    "train": {"checkpoint_minutes", "checkpoint_steps", "report_to"},
    "evaluate": {"cache"},
}
MADE = "made"  # in place of a retain or a holdout file: made from the forget set
FILE = "request.yaml"  # the request, as written into the result


class Request(Section):
    """All settings of a run: data, model, method, and where the result goes.

    Attributes:
        model: a folder or a hub id, `owner/name[@revision]`.
        forget: a file, or a dataset id.
        out: the folder to make.
        retain: a file of what to keep; "made" lets the model write it.
        holdout: a file of texts like the forget set that the model never saw; "made" makes
            questions about invented people from those of the forget set.
        base: the model before fine-tuning, which never saw the forget data; what it says of them
            is what `unseen` distils towards, and `retrain` begins at it.
        retrained: a model trained without the forget set, as yardstick.
        after: results of earlier runs whose requests are asked again, beside those that the model
            itself came out of.
        not_at_hand: earlier requests that a ledger knows of this model (`--ledger`); the report
            names those whose records are nowhere.
        method: its name, with its options; "auto" is unseen where the data allow it a teacher.
        preset: "paper" takes what the method's authors trained with where you set nothing else
            (`unteach methods NAME` lists it), and leaves the weights where training ended.
        request_id: your number for the request, no name; it stands in the report.
        operator: who runs it, in one word, as it should stand in the report.
        plugins: Python files that register methods of your own.
        adapter_only: write the adapters instead of the whole model.
        keep_text: write what the models said, in words, into `texts.jsonl`.
        train_anyway: train also where the model plainly never knew what it is to forget.
        overwrite: replace what stands in `out`.
        dtype: the type of the weights in memory; "auto" is float32 on a CPU, else the checkpoint's.
        device: where to compute: "auto" is the first accelerator, else the CPU.
        trust_remote_code: run the code that a model brings with it.
    """

    model: Source
    forget: Source
    out: Path
    retain: Source | None = None
    holdout: Source | None = None
    base: Source | None = None
    retrained: Source | None = None
    after: list[Source] = Field(default_factory=list)
    not_at_hand: list[Word] = Field(default_factory=list)
    method: dict[str, Any] = Field(default_factory=lambda: {"name": "auto"})
    preset: Literal["default", "paper"] = "default"
    adapter: AdapterSettings = AdapterSettings()
    train: TrainSettings = TrainSettings()
    data: DataSettings = DataSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    gates: Gates = Gates()
    request_id: Word | None = None
    operator: Word | None = None
    attack: AttackSettings = AttackSettings()
    plugins: list[str] = Field(default_factory=list)
    adapter_only: bool = False
    keep_text: bool = False
    train_anyway: bool = False
    overwrite: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    _notes: tuple[Problem, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        """Expand `method: npo`, `attack: int4`, and gates given in words."""
        if not isinstance(values, dict):
            return values
        return spelled({**values, **{n: _long(n, values[n]) for n in SHORT if n in values}})

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What the user should know of how the request was written; empty for most."""
        return self._notes

    def source(self, role: str) -> str | None:
        """Return the file or dataset id of a role; None where it is not given, or made."""
        given = getattr(self, role)
        return None if given == MADE else given

    @property
    def method_name(self) -> str:
        """Name of the method."""
        return str(self.method.get("name", "auto"))

    @property
    def method_options(self) -> dict[str, Any]:
        """Options of the method."""
        return {key: value for key, value in self.method.items() if key != "name"}

    def asked(self) -> dict[str, Any]:
        """Return the settings that affect the result as plain values: all but those in FREE."""
        return self.model_dump(mode="json", exclude=FREE)

    def to_yaml(self) -> str:
        """Return the request as YAML that `unteach run` reads."""
        return to_yaml(self.model_dump(mode="json"))


SHORT = {"method": ("name", str), "attack": ("names", (str, list, tuple))}  # sections by one field


def _long(section: str, given: Any) -> Any:
    name, kinds = SHORT[section]
    return {name: given} if isinstance(given, kinds) else given


NESTED = {  # flags that set a field of a section
    "method": ["method", "name"],
    "init": ["adapter", "init"],
    "sam": ["train", "sam"],
    "replay": ["train", "replay"],
    "attack": ["attack", "names"],
}


def load(
    file: Path | None = None, flags: dict[str, Any] | None = None, sets: list[str] | None = None
) -> Request:
    """Load a request from a file, overridden by flags, overridden by `a.b=c` settings.

    Raises:
        UserError: all problems of the request.

    Example:
        >>> request = load(flags={"model": "m", "forget": "f.jsonl", "out": "o"},
        ...                sets=["method.name=npo", "method.beta=0.2", "train.learning_rate=1e-5"])
        >>> request.method, request.train.learning_rate
        ({'name': 'npo', 'beta': 0.2}, 1e-05)
    """
    values = _read(file) if file else {}
    notes = renaming_notes(values)
    values |= {name: under_new_names(name, values[name]) for name in RENAMED if name in values}
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    what, hint = "holds a character that is no text", "write it in UTF-8"
    if bad := [name for name, value in given.items() if NO_TEXT.search(str(value))]:
        raise UserError(*(Problem(f"--{name}", what, hint, "request") for name in bad))
    for flag, path in NESTED.items():
        if flag in given and not isinstance(given[flag], dict):
            _set_value(values, path, given.pop(flag))
    values = spelled(values | given)
    typed = {".".join(NESTED.get(flag, [flag])) for flag in flags or {}}
    for setting in sets or []:
        path, equals, value = setting.partition("=")
        parts, plain = path.split("."), NAME.fullmatch(path)
        shown = f"--set {path}" if plain else "--set"
        if not equals or not all(parts) or len(parts) > DEEPEST or NO_TEXT.search(path):
            hint = "write --set section.name=value"
            raise UserError(Problem(shown, "is not a setting", hint, "request"))
        old = {parts[0]: {parts[1]: None}} if len(parts) == 2 else {}
        notes += renaming_notes(old)
        parts = [parts[0], *under_new_names(parts[0], old[parts[0]])] if old else parts
        _set_value(values, parts, read_yaml(value, shown))
        typed.add(".".join(parts))
    where = str(file) if file else "request"
    notes += renaming_notes(values)
    try:
        request = Request.model_validate(values)
    except ValidationError as error:
        raise UserError(
            *explained(by_setting(error.errors()), Request, where, typed, _suggestion)
        ) from None
    require(*texts_in(request, where))
    request._notes = tuple(notes)
    return request


def _read(file: Path) -> dict[str, Any]:
    hint = "give a YAML file, or the flags --model, --forget and --out"
    text = read_text(file, largest=4 * LONGEST, kind="request", hint=hint)
    if file.suffix.lower() in DATA:
        hint = f"give a request file; data has its flag: --forget {file}"
        raise UserError(Problem(str(file), "is data by its name", hint, "request"))
    values = read_yaml(text, str(file))
    if not isinstance(values, dict):
        raise UserError(Problem(str(file), "is not a mapping", "write `name: value`", "request"))
    return values


def _set_value(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.get(name)
        inner = _long(name, inner) if name in SHORT else inner
        values[name] = dict(inner) if isinstance(inner, dict) else {}
        values = values[name]
    values[path[-1]] = value


DATA = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt", ".gz", ".zst")
ELSEWHERE = {  # names of other tools for these settings
    "lr": "train.learning_rate",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "per_device_train_batch_size": "train.batch_size",
    "lora": "adapter.kind",
    "lora_rank": "adapter.rank",
    "max_seq_length": "data.max_length",
    **{old: f"train.{new}" for old, new in RENAMED["train"].items()},
}


def setting_of(name: str) -> str:
    """Return the setting for a name without section, or for another tool's name; else empty.

    Example:
        >>> setting_of("epochs"), setting_of("batch-size"), setting_of("colour")
        ('train.epochs', 'train.batch_size', '')
    """
    name = name.lstrip("-").replace("-", "_")
    for section in ("train", "adapter", "data", "evaluate"):
        if name in fields_of([section], Request):
            return f"{section}.{name}"
    return ELSEWHERE.get(name, "")


def _suggestion(path: list[str]) -> str:
    """Suggest a setting for a name that is none."""
    name, known = path[-1], list(fields_of(path[:-1], Request))
    listed = f" Known: {', '.join(known)}"
    if setting := ELSEWHERE.get(name, "") if len(path) > 1 else setting_of(name):
        return f'Did you mean "{setting}"?'
    if len(path) > 1:
        also = f" An argument of the trainer is train.extra.{name}." if path[0] == "train" else ""
        return (did_you_mean(name, known) or also) + listed
    close = did_you_mean(name, known, ALIKE)
    return (close or f' An option of the method is "method.{name}".') + listed
