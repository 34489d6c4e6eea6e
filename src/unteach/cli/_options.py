"""The flags that `run` and `check` share, and the request they make."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unteach.errors import UserError
from unteach.settings.request import Request, load

File = Annotated[
    Path | None, typer.Argument(metavar="[REQUEST.yaml]", help="A request file; flags override it.")
]
Model = Annotated[str | None, typer.Option(metavar="DIR_OR_ID", help="The model to change.")]
Forget = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="What to forget: JSONL, JSON, CSV, Parquet, or a dataset id."
    ),
]
Retain = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="What the model should keep."),
]
Holdout = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Texts like the forget set that the model never saw."),
]
Base = Annotated[
    str | None,
    typer.Option(
        metavar="DIR_OR_ID",
        help="The model before fine-tuning, where you have it (for unseen and retrain).",
    ),
]
Retrained = Annotated[
    str | None,
    typer.Option(metavar="DIR_OR_ID", help="A model trained without the forget set, as yardstick."),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="One of `unteach methods`; when left out unseen, or undial where it has no teacher.",
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="default|fila",
        help="How LoRA adapters start, with any method; fila needs --retain.",
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to make.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=c", help="Any setting, for example train.epochs=5."),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="FILE.py", help="A file that registers a method of yours."),
]
Sam = Annotated[
    float | None,
    typer.Option(metavar="RADIUS", help="Sharpness-aware forgetting, 0.01 for example."),
]
AdapterOnly = Annotated[
    bool, typer.Option("--adapter-only", help="Write LoRA adapters instead of the whole model.")
]
Processes = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Share the work among N processes of this machine."),
]
Trusting = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run the code that a model brings with it.")
]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="DIR",
        help="An earlier result whose request is asked again, beside those of --model; repeatable.",
    ),
]
Replay = Annotated[
    bool | None,
    typer.Option(
        "--replay/--no-replay",
        help="Hold what earlier requests removed while this one is; done where it is at hand.",
        show_default=False,
    ),
]
Attack = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        metavar="NAME,NAME",
        help="Then try to bring it back: int4, relearn, sample, prompt, detect, depth.",
    ),
]
KeepText = Annotated[
    bool,
    typer.Option("--keep-text", help="Also write what the models said, in words: texts.jsonl."),
]
TrainAnyway = Annotated[
    bool,
    typer.Option(
        "--train-anyway", help="Train also where the model never knew what it is to forget."
    ),
]
Template = Annotated[
    Literal["auto", "chat", "plain", "none"] | None,
    typer.Option(help="How prompt and answer are joined, for your own files."),
]
MaxLength = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="Of prompt and answer together.")
]
MaxNewTokens = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="Of what a model says, at most.")
]
TokensPerBatch = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="Padded tokens of one forward.")
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"] | None, typer.Option(help="Of the weights.")
]
Device = Annotated[
    str | None, typer.Option(metavar="auto|cpu|cuda:0|...", help="Where models are.")
]
Gates = Annotated[
    str | None,
    typer.Option(
        metavar="default|NAME=LIMIT,...",
        help="What must hold afterwards, fixed before: default, or given=0,retain=0.95; or none.",
    ),
]
RequestId = Annotated[
    str | None, typer.Option("--request-id", metavar="ID", help="Your number for it; no name.")
]
Operator = Annotated[
    str | None, typer.Option(metavar="WORD", help="Who runs it, as the report should say.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands in --out.")]


def request_of(file: Path | None, sets: list[str] | None, **flags: Any) -> Request:
    """The request that file, flags and settings make. Raises UserError, typos in the method too."""
    from unteach.methods._headers import foresee

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

        more = [] if str(asked.out) == "-" else file_problems(asked)  # a size has no files
        raise UserError(*error.problems, *more) from None
    return asked
