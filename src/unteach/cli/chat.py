"""`unteach chat`: put the same questions to one or more models, side by side."""

import sys
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._options import argument, option

STOP = ("/quit", "/exit")


def chat(
    models: Annotated[list[str], argument("Folders or hub ids.", "BEFORE [AFTER ...]")],
    max_new_tokens: Annotated[int, option("Maximum length of an answer.", "TOKENS", min=1)] = 128,
    template: Annotated[
        str, option("How question and answer are joined.", "auto|chat|plain|none")
    ] = "auto",
    device: Annotated[str, option("Device of the models: auto, cpu, cuda, ...", "DEVICE")] = "auto",
    trust_remote_code: options.Trusting = False,
) -> None:
    """Put questions to one or more models, and print their greedy answers side by side.

    Questions are read from the terminal or from stdin, one per line. Models see each question
    alone, without the earlier ones. Nothing is written to disk.

    Examples:
      $ unteach chat DIR_OR_ID unlearned
      $ unteach chat DIR_OR_ID unlearned < questions.txt
    """
    from unteach.cli._show import hush, say
    from unteach.errors import Problem, UserError
    from unteach.escaping import visible

    known = ("auto", "chat", "plain", "none")
    if template not in known:
        what, hint = "is no template", f"give one of {', '.join(known)}"
        raise UserError(Problem("--template", what, hint, "request"))
    say("starting (loading libraries takes a few seconds)")
    hush()
    loaded = [(name, _loaded(name, device, trust_remote_code)) for name in dict.fromkeys(models)]
    width = max(len(visible(name)) for name, _ in loaded)
    terminal = sys.stdin.isatty()
    if terminal:
        say(f"type one question per line; an empty line, {' or '.join(STOP)} ends")
    for question in _questions(terminal):
        for name, (model, tokenizer) in loaded:
            said = answer(model, tokenizer, question, max_new_tokens, template)
            typer.echo(f"{visible(name):<{width}}  {visible(said)}")
        typer.echo("")


def answer(model: Any, tokenizer: Any, question: str, limit: int, template: str) -> str:
    """Return the greedy answer of a model to a question, of at most `limit` tokens."""
    from unteach.data import prompt_ids, read_rows
    from unteach.inference import greedy
    from unteach.inference.generation import end_tokens

    (example,) = read_rows([{"question": question, "answer": "."}], "forget")
    prompt = prompt_ids(example, tokenizer, template=template)
    end = end_tokens(model, tokenizer)
    (ids,) = greedy(model, [prompt], limits=[limit], end=end)
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


def _loaded(name: str, device: str, trust: bool) -> tuple[Any, Any]:
    from unteach.models.loading import load_model, load_tokenizer

    model = load_model(name, flag=name, device=device, trust_remote_code=trust)
    return model, load_tokenizer(name, trust_remote_code=trust)


def _questions(terminal: bool) -> Any:
    """Yield questions: up to an empty line from a terminal, all non-empty lines from a file."""
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
