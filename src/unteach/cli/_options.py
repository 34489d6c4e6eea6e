"""Define the command line options that several commands share, and build a request from them."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from unteach.cli import _complete as complete
from unteach.errors import UserError

if TYPE_CHECKING:  # pydantic's models take longer to make than a help text to print
    from unteach.settings.request import Request

# Headings in --help. Options without one come first: those that a new user needs.
TRAINING, MEASURING = "Training", "Evaluation, gates and attacks"
COMPUTING, OUTPUT, RECORDS = "Models and computing", "Output", "Records of the removal"

Command = TypeVar("Command", bound=Callable[..., None])


def option(
    help: str, metavar: str | None = None, panel: str | None = None, *, flags: str = "", **more: Any
) -> Any:
    """Return what typer has to know of an option.

    Args:
        help: its meaning.
        metavar: how its value is written in --help.
        panel: heading in --help; None for the first ones.
        flags: how it is written, separated by blanks, if that is not the name of the parameter.
        more: further arguments of `typer.Option`.
    """
    return typer.Option(*flags.split(), help=help, metavar=metavar, rich_help_panel=panel, **more)


def argument(help: str, metavar: str, **more: Any) -> Any:
    """Return what typer has to know of a positional argument."""
    return typer.Argument(help=help, metavar=metavar, **more)


File = Annotated[
    Path | None, argument("A request file (`unteach init` writes one).", "[REQUEST.yaml]")
]
Model = Annotated[str | None, option("The model to unlearn from.", "DIR_OR_ID")]
Forget = Annotated[
    str | None, option("The forget set: JSONL, JSON, CSV, Parquet, or a dataset id.", "FILE")
]
Retain = Annotated[
    str | None,
    option(
        "The retain set: records that the model should keep; made: the model writes them.",
        "FILE|made",
    ),
]
Holdout = Annotated[
    str | None,
    option(
        "Records like the forget set that the model never saw; made: put together from it.",
        "FILE|made",
    ),
]
Base = Annotated[
    str | None,
    option(
        "The model before it was fine-tuned, for the methods unseen and retrain.",
        "DIR_OR_ID",
        COMPUTING,
    ),
]
Retrained = Annotated[
    str | None,
    option("A model trained without the forget set, to compare with.", "DIR_OR_ID", MEASURING),
]
Method = Annotated[
    str | None,
    option(
        "The unlearning method (`unteach methods` lists them); by default unseen, or undial "
        "if the data give unseen no teacher.",
        "NAME",
        autocompletion=complete.method_names,
    ),
]
Preset = Annotated[
    Literal["default", "paper"] | None,
    option("Whose training settings: ours, or those of the method's authors.", None, TRAINING),
]
Init = Annotated[
    str | None,
    option(
        "Initialisation of LoRA adapters, with any method; fila needs --retain.",
        "default|fila",
        TRAINING,
    ),
]
Out = Annotated[Path | None, option("The folder to write the result to.", "DIR")]
Sets = Annotated[
    list[str] | None,
    option(
        "A setting, such as train.epochs=5; repeatable (`unteach settings` lists all).",
        "NAME=VALUE",
        flags="--set",
        autocompletion=complete.settings,
    ),
]
Plugins = Annotated[
    list[str] | None,
    option(
        "A Python file that registers a method of yours.", "FILE.py", TRAINING, flags="--plugin"
    ),
]
Sam = Annotated[
    float | None,
    option(
        "Sharpness-aware minimisation of the forget loss, with a radius such as 0.01.",
        "RADIUS",
        TRAINING,
    ),
]
AdapterOnly = Annotated[
    bool,
    option("Write LoRA adapters instead of the whole model.", None, OUTPUT, flags="--adapter-only"),
]
Processes = Annotated[
    int, option("Share the work among N processes on this machine.", "N", COMPUTING, min=1)
]
Trusting = Annotated[
    bool,
    option(
        "Run the Python code that comes with a model.", None, COMPUTING, flags="--trust-remote-code"
    ),
]
After = Annotated[
    list[str] | None,
    option(
        "An earlier result whose request is evaluated again, beside those of --model.",
        "DIR",
        MEASURING,
        flags="--after",
    ),
]
Replay = Annotated[
    bool | None,
    option(
        "Keep earlier requests forgotten by a KL term; on where their records are available.",
        None,
        TRAINING,
        flags="--replay/--no-replay",
        show_default=False,
    ),
]
Attack = Annotated[
    list[str] | None,
    option(
        "Attack the result afterwards, with int4,relearn for example (see `unteach attacks`).",
        "NAME,NAME",
        MEASURING,
        flags="--attack",
        autocompletion=complete.attack_names,
    ),
]
KeepText = Annotated[
    bool,
    option(
        "Also write the generated answers to texts.jsonl. They may hold forget data.",
        None,
        OUTPUT,
        flags="--keep-text",
    ),
]
TrainAnyway = Annotated[
    bool,
    option(
        "Train even if the model does not know the forget set.",
        None,
        TRAINING,
        flags="--train-anyway",
    ),
]
Template = Annotated[
    Literal["auto", "chat", "plain", "none"] | None,
    option("How prompt and answer of your own files are joined.", None, COMPUTING),
]
MaxLength = Annotated[
    int | None, option("Maximum length of prompt and answer together.", "TOKENS", COMPUTING)
]
MaxNewTokens = Annotated[
    int | None, option("Maximum length of a generated answer.", "TOKENS", COMPUTING)
]
TokensPerBatch = Annotated[
    int | None, option("Tokens of one batch, padding included.", "TOKENS", COMPUTING)
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"] | None,
    option("Data type of the weights.", None, COMPUTING),
]
Device = Annotated[str | None, option("Device of the models.", "auto|cpu|cuda:0|...", COMPUTING)]
Bits = Annotated[int | None, option("Load models in 4 bits.", "4", COMPUTING)]
Gates = Annotated[
    str | None,
    option(
        "Limits that the result must meet, fixed before the run: default, none, or "
        "given=0,retain=0.95 for example. A failed gate ends with exit code 3.",
        "default|NAME=LIMIT,...",
        MEASURING,
    ),
]
RequestId = Annotated[
    str | None,
    option(
        "Your number of the deletion request, for the report; no name of a person.",
        "ID",
        RECORDS,
        flags="--request-id",
    ),
]
Operator = Annotated[str | None, option("Who runs the command, for the report.", "WORD", RECORDS)]
Overwrite = Annotated[
    bool, option("Replace an existing --out folder.", None, OUTPUT, flags="--overwrite")
]
Json = Annotated[
    bool, option("Print the result as JSON instead of a table.", None, OUTPUT, flags="--json")
]


RUN = (
    "request model forget out retain holdout method set_ base retrained preset init sam gates "
    "request_id operator attack after replay plugin adapter_only keep_text train_anyway overwrite "
    "... trust_remote_code json"
)
"""The options of `run` and `check`, for `takes`."""


class Shared:
    """The shared options by the names of their parameters, for `takes`."""

    request: File = None
    model: Model = None
    forget: Forget = None
    out: Out = None
    retain: Retain = None
    holdout: Holdout = None
    method: Method = None
    set_: Sets = None
    base: Base = None
    retrained: Retrained = None
    preset: Preset = None
    init: Init = None
    sam: Sam = None
    gates: Gates = None
    request_id: RequestId = None
    operator: Operator = None
    attack: Attack = None
    after: After = None
    replay: Replay = None
    plugin: Plugins = None
    template: Template = None
    max_length: MaxLength = None
    max_new_tokens: MaxNewTokens = None
    tokens_per_batch: TokensPerBatch = None
    dtype: Dtype = None
    device: Device = None
    bits: Bits = None
    adapter_only: AdapterOnly = False
    keep_text: KeepText = False
    train_anyway: TrainAnyway = False
    overwrite: Overwrite = False
    trust_remote_code: Trusting = False


def takes(names: str) -> Callable[[Command], Command]:
    """Give a command some of the `Shared` options; it gets their values as keyword arguments.

    typer reads the options of a command from its signature, so they are put into that.

    Args:
        names: names of options, separated by blanks, in the order of --help. `...` stands for the
            command's own options; one of these may also be named, to move it.
    """

    def add(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        own = {p.name: p.replace(kind=p.KEYWORD_ONLY) for p in own}
        listed = names.split()
        rest = [name for name in own if name not in listed]
        place = listed.index("...")
        order = [*listed[:place], *rest, *listed[place + 1 :]]
        found = [own.get(name) or _shared(name) for name in order]
        command.__signature__ = signature.replace(parameters=found)  # type: ignore[attr-defined]
        command.__annotations__ |= {p.name: p.annotation for p in found}
        return command

    return add


def _shared(name: str) -> inspect.Parameter:
    kind, annotation = inspect.Parameter.KEYWORD_ONLY, Shared.__annotations__[name]
    return inspect.Parameter(name, kind, default=getattr(Shared, name), annotation=annotation)


def request_of(flags: Mapping[str, Any], sets: list[str] | None = None, **more: Any) -> "Request":
    """Return the request that a file, `--set` settings and flags make; flags override the file.

    The name and the options of the method and of attacks are checked too.

    Args:
        flags: values of `Shared` options by name.
        sets: settings beside those of --set.
        more: further fields of a request, in place of what the flags say.

    Raises:
        UserError: all problems of the request.
    """
    from unteach.methods._headers import foresee
    from unteach.settings.request import load

    given = {key: value for key, value in {**flags, **more}.items() if value is not False}
    file, own = given.pop("request", None), given.pop("set_", None)
    if "attack" in given:
        given["attack"] = ",".join(given["attack"] or []) or None
    if "after" in given:
        given["after"] = given["after"] or None
    if "plugin" in given:
        given["plugins"] = given.pop("plugin") or None
    if flags.get("replay") is not None:
        given["replay"] = str(flags["replay"]).lower()
    asked = load(file, given, [*(sets or []), *(own or [])])
    try:
        name = "unseen" if asked.method_name == "auto" else asked.method_name
        foresee(name, asked.method_options, plugins=bool(asked.plugins))
        if asked.attack.names or asked.attack.options:
            from unteach.attacks._in_run import foreseen

            foreseen(asked)
    except UserError as error:
        from unteach.cli._files import file_problems

        needed = str(asked.out) != "-"  # `unteach size` needs no files
        raise UserError(*error.problems, *(file_problems(asked) if needed else [])) from None
    return asked
