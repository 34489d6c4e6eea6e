"""`unteach chat`: ask one or more models the same questions, side by side."""

import sys
from typing import Annotated, Any

import typer

from unteach.cli import _options as options

STOP = ("/quit", "/exit")


def chat(
    models: Annotated[
        list[str], typer.Argument(metavar="BEFORE [AFTER ...]", help="Folders or hub ids.")
    ],
    max_new_tokens: Annotated[
        int, typer.Option(min=1, metavar="N", help="The longest answer, in tokens.")
    ] = 128,
    template: Annotated[
        str, typer.Option(metavar="auto|chat|plain|none", help="How a question is put to them.")
    ] = "auto",
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="Where to compute: auto, cpu, cuda, ...")
    ] = "auto",
    trust_remote_code: options.Trusting = False,
) -> None:
    """Ask models the same questions, a line each, and print their greedy answers side by side.

    Questions come from the terminal, or from stdin: `unteach chat before after < questions.txt`.
    Each question stands alone: no earlier one is remembered. Nothing is written to disk.
    """
    from unteach.cli._show import hush, say
    from unteach.errors import Problem, UserError
    from unteach.escaping import visible

    known = ("auto", "chat", "plain", "none")
    if template not in known:
        what, hint = "is no template", f"take one of {', '.join(known)}"
        raise UserError(Problem("--template", what, hint, "request"))
    say("starting (loading libraries takes a few seconds)")
    hush()
    asked = [(name, _loaded(name, device, trust_remote_code)) for name in _named(models)]
    width = max(len(visible(name)) for name, _ in asked)
    terminal = sys.stdin.isatty()
    if terminal:
        say(f"a question a line; an empty line, {' or '.join(STOP)} ends")
    for question in _questions(terminal):
        for name, (model, tokenizer) in asked:
            said = answer(model, tokenizer, question, max_new_tokens, template)
            typer.echo(f"{visible(name):<{width}}  {visible(said)}")
        typer.echo("")


def answer(model: Any, tokenizer: Any, question: str, limit: int, template: str) -> str:
    """The greedy answer of one model to one question."""
    from unteach.data import prompt_ids, read_rows
    from unteach.inference import greedy
    from unteach.inference.generation import end_tokens

    (example,) = read_rows([{"question": question, "answer": "."}], "forget")
    prompt = prompt_ids(example, tokenizer, template=template)
    end = end_tokens(model, tokenizer)
    (ids,) = greedy(model, [prompt], limits=[limit], end=end)
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


def _named(models: list[str]) -> list[str]:
    """Each model once, in the order given."""
    return list(dict.fromkeys(models))


def _loaded(name: str, device: str, trust: bool) -> tuple[Any, Any]:
    from unteach.models.loading import load_model, load_tokenizer

    model = load_model(name, flag=name, device=device, trust_remote_code=trust)
    return model, load_tokenizer(name, trust_remote_code=trust)


def _questions(terminal: bool) -> Any:
    """From the terminal until an empty line; from a file all lines but the empty ones."""
    while True:
        if terminal:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        question = line.strip()
        if not line or question in STOP or (terminal and not question):
            return
        if question:
            yield question
