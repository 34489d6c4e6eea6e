"""Define the command line options that several commands share, and build a request from them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unteach.cli import _complete as complete
from unteach.errors import UserError

if TYPE_CHECKING:  # pydantic's models take longer to make than a help text to print
    from unteach.settings.request import Request

# Headings in --help. Options without one come first: those that a new user needs.
TRAINING, MEASURING = "Training", "Evaluation, gates and attacks"
COMPUTING, OUTPUT, RECORDS = "Models and computing", "Output", "Records of the removal"

File = Annotated[
    Path | None,
    typer.Argument(metavar="[REQUEST.yaml]", help="A request file (`unteach init` writes one)."),
]
Model = Annotated[str | None, typer.Option(metavar="DIR_OR_ID", help="The model to unlearn from.")]
Forget = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The forget set: JSONL, JSON, CSV, Parquet, or a dataset id."
    ),
]
Retain = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|made",
        help="The retain set: records that the model should keep; made: the model writes them.",
    ),
]
Holdout = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|made",
        help="Records like the forget set that the model never saw; made: put together from it.",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        metavar="DIR_OR_ID",
        help="The model before it was fine-tuned, for the methods unseen and retrain.",
        rich_help_panel=COMPUTING,
    ),
]
Retrained = Annotated[
    str | None,
    typer.Option(
        metavar="DIR_OR_ID",
        help="A model trained without the forget set, to compare with.",
        rich_help_panel=MEASURING,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The unlearning method (`unteach methods` lists them); by default unseen, or undial "
        "if the data give unseen no teacher.",
        autocompletion=complete.method_names,
    ),
]
Preset = Annotated[
    Literal["default", "paper"] | None,
    typer.Option(
        help="Whose training settings: ours, or those of the method's authors.",
        rich_help_panel=TRAINING,
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="default|fila",
        help="Initialisation of LoRA adapters, with any method; fila needs --retain.",
        rich_help_panel=TRAINING,
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to write the result to.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting, such as train.epochs=5; repeatable (`unteach settings` lists all).",
        autocompletion=complete.settings,
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        help="A Python file that registers a method of yours.",
        rich_help_panel=TRAINING,
    ),
]
Sam = Annotated[
    float | None,
    typer.Option(
        metavar="RADIUS",
        help="Sharpness-aware minimisation of the forget loss, with a radius such as 0.01.",
        rich_help_panel=TRAINING,
    ),
]
AdapterOnly = Annotated[
    bool,
    typer.Option(
        "--adapter-only",
        help="Write LoRA adapters instead of the whole model.",
        rich_help_panel=OUTPUT,
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Share the work among N processes on this machine.",
        rich_help_panel=COMPUTING,
    ),
]
Trusting = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run the Python code that comes with a model.",
        rich_help_panel=COMPUTING,
    ),
]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="DIR",
        help="An earlier result whose request is evaluated again, beside those of --model.",
        rich_help_panel=MEASURING,
    ),
]
Replay = Annotated[
    bool | None,
    typer.Option(
        "--replay/--no-replay",
        help="Keep earlier requests forgotten by a KL term; on where their records are available.",
        rich_help_panel=TRAINING,
        show_default=False,
    ),
]
Attack = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        metavar="NAME,NAME",
        help="Attack the result afterwards, with int4,relearn for example (see `unteach attacks`).",
        rich_help_panel=MEASURING,
        autocompletion=complete.attack_names,
    ),
]
KeepText = Annotated[
    bool,
    typer.Option(
        "--keep-text",
        help="Also write the generated answers to texts.jsonl. They may hold forget data.",
        rich_help_panel=OUTPUT,
    ),
]
TrainAnyway = Annotated[
    bool,
    typer.Option(
        "--train-anyway",
        help="Train even if the model does not know the forget set.",
        rich_help_panel=TRAINING,
    ),
]
Template = Annotated[
    Literal["auto", "chat", "plain", "none"] | None,
    typer.Option(
        help="How prompt and answer of your own files are joined.", rich_help_panel=COMPUTING
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(
        metavar="TOKENS",
        help="Maximum length of prompt and answer together.",
        rich_help_panel=COMPUTING,
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        metavar="TOKENS",
        help="Maximum length of a generated answer.",
        rich_help_panel=COMPUTING,
    ),
]
TokensPerBatch = Annotated[
    int | None,
    typer.Option(
        metavar="TOKENS",
        help="Tokens of one batch, padding included.",
        rich_help_panel=COMPUTING,
    ),
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"] | None,
    typer.Option(help="Data type of the weights.", rich_help_panel=COMPUTING),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cpu|cuda:0|...",
        help="Device of the models.",
        rich_help_panel=COMPUTING,
    ),
]
Bits = Annotated[
    int | None,
    typer.Option(metavar="4", help="Load models in 4 bits.", rich_help_panel=COMPUTING),
]
Gates = Annotated[
    str | None,
    typer.Option(
        metavar="default|NAME=LIMIT,...",
        help="Limits that the result must meet, fixed before the run: default, none, or "
        "given=0,retain=0.95 for example. A failed gate ends with exit code 3.",
        rich_help_panel=MEASURING,
    ),
]
RequestId = Annotated[
    str | None,
    typer.Option(
        "--request-id",
        metavar="ID",
        help="Your number of the deletion request, for the report; no name of a person.",
        rich_help_panel=RECORDS,
    ),
]
Operator = Annotated[
    str | None,
    typer.Option(
        metavar="WORD", help="Who runs the command, for the report.", rich_help_panel=RECORDS
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an existing --out folder.", rich_help_panel=OUTPUT),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the result as JSON instead of a table.",
        rich_help_panel=OUTPUT,
    ),
]


def request_of(file: Path | None, sets: list[str] | None, **flags: Any) -> "Request":
    """Return the request that a file, `--set` settings and flags make; flags override the file.

    The name and the options of the method and of attacks are checked too.

    Raises:
        UserError: all problems of the request.
    """
    from unteach.methods._headers import foresee
    from unteach.settings.request import load

    given = {key: value for key, value in flags.items() if value is not False}
    asked = load(file, given, sets)
    try:
        name = "unseen" if asked.method_name == "auto" else asked.method_name
        foresee(name, asked.method_options, plugins=bool(asked.plugins))
        if asked.attack.names or asked.attack.options:
            from unteach.attacks._in_run import foreseen

            foreseen(asked)
    except UserError as error:
        from unteach.cli._files import file_problems

        more = (
            [] if str(asked.out) == "-" else file_problems(asked)
        )  # `unteach size` needs no files
        raise UserError(*error.problems, *more) from None
    return asked
