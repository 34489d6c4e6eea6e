"""`unteach size`: estimate the memory of a run before any weights are loaded."""

from typing import Annotated

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.errors import Problem, UserError

UNITS = {"": 1e9, "gb": 1e9, "gib": 2**30, "mb": 1e6, "mib": 2**20, "tb": 1e12}


def size(
    request: options.File = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help="A folder, a config.json, a hub id, or a known shape such as llama-70b.",
        ),
    ] = None,
    device_memory: Annotated[
        str | None,
        typer.Option(
            metavar="24GB",
            help="Memory of your device: tells whether the run fits, and what would make it fit.",
        ),
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The forget set, for the number and lengths of its texts."
        ),
    ] = None,
    retain: Annotated[
        str | None, typer.Option(metavar="FILE", help="The retain set, likewise.")
    ] = None,
    method: options.Method = None,
    sharding: Annotated[
        str | None,
        typer.Option(
            metavar="none|ddp|fsdp|zero2|zero3", help="How the processes share the model."
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", "--batch", min=1, help="Forget examples per forward (train.batch_size)."
        ),
    ] = None,
    gradient_accumulation_steps: Annotated[
        int | None,
        typer.Option(
            "--accumulation", min=1, help="Forwards per step (train.gradient_accumulation_steps)."
        ),
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=8, help="Tokens per text; 512 without --forget.")
    ] = None,
    answers: Annotated[
        int | None,
        typer.Option(min=1, help="Answer tokens per text; all of them without --forget."),
    ] = None,
    examples: Annotated[
        int | None, typer.Option(min=1, help="Number of forget examples; 400 without --forget.")
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="full|lora", help="Train all weights or LoRA adapters (adapter.kind)."
        ),
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Rank of the adapters (adapter.rank).")
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(metavar="4", help="Load the model in 4 bits under adapters (adapter.bits)."),
    ] = None,
    checkpointing: Annotated[
        bool,
        typer.Option(
            "--checkpointing", help="Recompute activations (train.gradient_checkpointing)."
        ),
    ] = False,
    optim: Annotated[
        str | None, typer.Option(metavar="NAME", help="The optimiser (train.optim).")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data type of the weights.")
    ] = None,
    equal: Annotated[
        bool,
        typer.Option(
            "--equal", help="Assume texts of equal length, so that there is no attention mask."
        ),
    ] = False,
    set_: options.Sets = None,
    plugin: options.Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, in bytes.")] = False,
) -> None:
    """Estimate the memory that one device needs for a run, part by part.

    The model is built and run with fake tensors, without weights; the memory of loss, optimiser
    and communication is computed. A retain set is assumed (otherwise: --set train.retain=none).
    With --forget all texts count as long as the longest one of it.

    Examples:
      $ unteach size --model llama-8b --device-memory 80GB
      $ unteach size --model DIR_OR_ID --forget forget.jsonl --adapter lora --checkpointing
      $ unteach size --model llama-70b --processes 8 --sharding fsdp
    """
    sets = [
        f"{name}={value}"
        for name, value in {
            "train.batch_size": batch_size,
            "train.gradient_accumulation_steps": gradient_accumulation_steps,
            "adapter.kind": adapter, "adapter.rank": rank, "adapter.bits": bits,
            "train.optim": optim, "dtype": dtype,
            "train.gradient_checkpointing": True if checkpointing else None,
        }.items()
        if value is not None
    ]  # fmt: skip
    given = {"forget": forget, "retain": retain}
    if not request:
        given = {name: file or "-" for name, file in given.items()} | {"out": "-"}
    asked = options.request_of(
        request, [*sets, *(set_ or [])], model=model, method=method, plugins=plugin or None,
        **given,
    )  # fmt: skip
    room = None if device_memory is None else _bytes(device_memory)
    from unteach.cli._sizes import show, to_json
    from unteach.methods import load_plugin
    from unteach.sizing.advice import advise
    from unteach.sizing.setting import setting_of
    from unteach.sizing.shapes import config_of
    from unteach.sizing.size import size_of

    for file in asked.plugins:
        load_plugin(file)
    config = config_of(asked.model)
    if (forget or retain) and not length:
        from unteach.sizing.lengths import lengths_of

        told = lengths_of(asked, config)
        length, answers = told.length, answers or told.answers
        examples = examples or told.examples
    length = length or min(asked.data.max_length or 512, 512)
    setting = setting_of(
        asked, config, processes=processes, padded=not equal,
        sharding=sharding or ("none" if processes == 1 else "ddp"),
        length=length, answers=answers or length, examples=examples or 400,
    )  # fmt: skip
    found = size_of(setting)
    advice = advise(found, room) if room and found.total > room else []
    if json:
        show_json(to_json(found, room, advice))
    else:
        show(found, room, advice)


def _bytes(text: str) -> float:
    """Return the bytes of "24GB", "80 GiB" or "24"."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    unit = text[len(number) :].strip().lower()
    try:
        found = float(number) * UNITS[unit]
    except (KeyError, ValueError):
        found = 0.0
    if not 0 < found < 1e18:
        hint = "write a number with GB, GiB, MB or TB, such as 24GB"
        raise UserError(
            Problem(f"--device-memory {text}", "is no amount of memory", hint, "request")
        )
    return found
