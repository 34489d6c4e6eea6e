"""`unteach size`: estimate the memory of a run before any weights are loaded."""

from typing import Annotated, Any

from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.cli._options import option
from unteach.errors import Problem, UserError

UNITS = {"": 1e9, "gb": 1e9, "gib": 2**30, "mb": 1e6, "mib": 2**20, "tb": 1e12}


@options.takes("request model device_memory forget retain method ... set_ plugin json")
def size(
    model: Annotated[
        str | None,
        option("A folder, a config.json, a hub id, or a known shape such as llama-70b.", "WHICH"),
    ] = None,
    device_memory: Annotated[
        str | None,
        option(
            "Memory of your device: tells whether the run fits, and what would make it fit.", "24GB"
        ),
    ] = None,
    forget: Annotated[
        str | None, option("The forget set, for the number and lengths of its texts.", "FILE")
    ] = None,
    retain: Annotated[str | None, option("The retain set, likewise.", "FILE")] = None,
    sharding: Annotated[
        str | None, option("How the processes share the model.", "none|ddp|fsdp|zero2|zero3")
    ] = None,
    processes: Annotated[int, option("Number of processes.", min=1)] = 1,
    batch_size: Annotated[
        int | None,
        option(
            "Forget examples per forward (train.batch_size).", flags="--batch-size --batch", min=1
        ),
    ] = None,
    gradient_accumulation_steps: Annotated[
        int | None,
        option(
            "Forwards per step (train.gradient_accumulation_steps).", flags="--accumulation", min=1
        ),
    ] = None,
    length: Annotated[int | None, option("Tokens per text; 512 without --forget.", min=8)] = None,
    answers: Annotated[
        int | None, option("Answer tokens per text; all of them without --forget.", min=1)
    ] = None,
    examples: Annotated[
        int | None, option("Number of forget examples; 400 without --forget.", min=1)
    ] = None,
    adapter: Annotated[
        str | None, option("Train all weights or LoRA adapters (adapter.kind).", "full|lora")
    ] = None,
    rank: Annotated[int | None, option("Rank of the adapters (adapter.rank).", min=1)] = None,
    bits: Annotated[
        int | None, option("Load the model in 4 bits under adapters (adapter.bits).", "4")
    ] = None,
    checkpointing: Annotated[
        bool,
        option("Recompute activations (train.gradient_checkpointing).", flags="--checkpointing"),
    ] = False,
    optim: Annotated[str | None, option("The optimiser (train.optim).", "NAME")] = None,
    dtype: Annotated[str | None, option("Data type of the weights.", "NAME")] = None,
    equal: Annotated[
        bool,
        option(
            "Assume texts of equal length, so that there is no attention mask.", flags="--equal"
        ),
    ] = False,
    json: Annotated[bool, option("Print JSON, in bytes.", flags="--json")] = False,
    **flags: Any,
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
    if not flags["request"]:
        given = {name: file or "-" for name, file in given.items()} | {"out": "-"}
    asked = options.request_of(flags, sets, model=model, **given)
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
