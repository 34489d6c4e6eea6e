"""Show the teacher of a method beside the model, for `unteach explain`."""

from collections.abc import Callable
from dataclasses import replace
from math import exp
from typing import Any, NamedTuple

import typer

from unteach.cli._json import show_json
from unteach.escaping import visible
from unteach.types import Sequence

WIDTH, WORD = 80, 16  # columns of a line, and of one token
FEW = 3  # tokens shown per answer, and likeliest tokens of the teacher per position


def show_teacher(intake: Any, most: int, *, json: bool) -> None:
    """Print where the teacher's distribution comes from, and its probabilities for some answers.

    Args:
        intake: a checked request of a method that reads a teacher.
        most: number of answers to show.
        json: whether to print JSON.
    """
    from unteach.training.teacher_view import views

    model, rows = _asked(intake)
    teacher, forget = rows.teacher, intake.sequences["forget"]
    shown = range(min(most, len(forget)))
    viewed = views(model, rows, forget, shown, few=FEW)
    if json:
        names = teacher.names or [()] * len(forget)
        answers = [
            _plain(forget[k], names[k], view, intake.tokenizer)
            for k, view in zip(shown, viewed, strict=True)
        ]
        about = {
            "source": teacher.source,
            "probability": teacher.probability,
            "auc": teacher.facts.get("teacher_auc"),
        }
        left = {"not_shown": len(forget) - len(shown)}
        show_json({"method": intake.method.name, "teacher": about, "answers": answers, **left})
        return
    for line in _head(teacher):
        typer.echo(line)
    for k, view in zip(shown, viewed, strict=True):
        names = teacher.names[k] if teacher.names else ()
        for line in told(forget[k], names, view, intake.tokenizer, named=bool(teacher.names)):
            typer.echo(line)
    typer.echo(_foot(teacher, len(forget) - len(shown)))


class Level(NamedTuple):
    """Probability per token of an answer's selected tokens (the geometric mean).

    Attributes:
        own: the probability under the model.
        taught: the probability at which training should end.
    """

    own: float
    taught: float


def level_reader(intake: Any, model: Any) -> Callable[[int, Any], Level | None]:
    """Return a function from an answer's number and its selection to its level.

    The level is None for a method without a teacher, and where nothing is selected.
    """
    from unteach.training.teacher import find_teaching, for_selected, logps_of

    method, forget = intake.method, intake.sequences["forget"]
    if not method.reads_teacher():
        return lambda number, choice: None
    given = (method, model, intake.tokenizer, forget, intake.sequences.get("retain", []))
    seed = intake.request.train.seed
    teacher = find_teaching(*given, intake.calibration, seed=seed).teacher

    def level(number: int, choice: Any) -> Level | None:
        one = [forget[number]]
        only = {
            name: getattr(teacher, name)[number : number + 1]
            for name in ("sequences", "pairs", "targets", "set_level", "names")
        }
        found = for_selected(replace(teacher, **only), method, [choice], model, one)
        own = logps_of(model, one)[0]
        places = [i for i, answer in enumerate(one[0].answer) if answer]
        chosen = [k for k, place in enumerate(places) if place in choice.chosen]
        if not chosen or found is None:
            return None
        return Level(
            *(exp(sum(p[k] for k in chosen) / len(chosen)) for p in (own, found.targets[0]))
        )

    return level


def _asked(intake: Any) -> tuple[Any, Any]:
    """Return the model, and the teacher's rows as in training."""
    from unteach.pipeline import base_rows
    from unteach.progress import NoProgress
    from unteach.rowengine.teacher_rows import TeacherRows
    from unteach.training.teacher import find_teaching

    request = intake.request
    rows = base_rows(intake, NoProgress())
    model = original(request).eval()
    if rows is None:
        forget, retain = (intake.sequences.get(role, []) for role in ("forget", "retain"))
        given = (intake.method, model, intake.tokenizer, forget, retain, intake.calibration)
        rows = TeacherRows(find_teaching(*given, seed=request.train.seed).teacher, model)
    return model, rows


def original(request: Any) -> Any:
    """Load the model of a request."""
    from unteach.models.loading import load_model

    trust = request.trust_remote_code
    how = {"dtype": request.dtype, "device": request.device, "trust_remote_code": trust}
    return load_model(request.model, **how)


def _head(teacher: Any) -> list[str]:
    from unteach.checks.automatic import SOURCES

    words = SOURCES.get(teacher.source, teacher.source)
    return [
        f"teacher: {teacher.source}, {words}",
        "p of each token: model -> teacher; then the teacher's likeliest tokens",
    ]


def _foot(teacher: Any, more: int) -> str:
    found = [f"mean probability of the answers under the teacher {teacher.probability:.2f}"]
    if (area := teacher.facts.get("teacher_auc")) is not None:
        found.append(f"AUC against the holdout {area:.2f}")
    if teacher.names:
        found.append(f"{sum(not names for names in teacher.names)} without a name")
    if more:
        found.append(f"{more} more not shown (--max)")
    return "; ".join(found)


def told(
    sequence: Sequence,
    names: tuple[tuple[str, str], ...],
    view: Any,
    tokenizer: Any,
    *,
    named: bool,
) -> list[str]:
    """Return the lines about one answer, of at most `WIDTH` columns.

    Args:
        sequence: the example.
        names: each name in it, with the name that replaces it for the teacher.
        view: a `training.teacher_view.AnswerView`.
        tokenizer: the model's tokenizer.
        named: whether the teacher is queried about somebody else.
    """
    swapped = ", ".join(f"{old} -> {new}" if old != new else f"{old} stays" for old, new in names)
    about = swapped or ("no name found: the mean level of the others" if named else "")
    first = f"{sequence.id}  p {view.own:.2f} -> {view.taught:.2f}"
    lines = [fit(f"{first}  {visible(about)}", WIDTH)]
    for token in view.tokens:
        word = fit(_word(token.token, tokenizer), WORD)
        likeliest = ", ".join(f"{_word(t, tokenizer)} {p:.2f}" for t, p in token.likeliest)
        lines.append(fit(f"  {word} {token.own:.2f} -> {token.taught:.2f}   {likeliest}", WIDTH))
    return [line.rstrip() for line in lines]


def _plain(
    sequence: Sequence, names: tuple[tuple[str, str], ...], view: Any, tokenizer: Any
) -> dict[str, Any]:
    """Return what the model and the teacher say about one answer as plain values."""
    tokens = [
        {
            "token": tokenizer.decode([token.token]),
            "probability": token.own,
            "teacher_probability": token.taught,
            "likeliest": [
                {"token": tokenizer.decode([other]), "teacher_probability": p}
                for other, p in token.likeliest
            ],
        }
        for token in view.tokens
    ]
    return {
        "id": sequence.id,
        "probability": view.own,
        "teacher_probability": view.taught,
        "names": [{"name": old, "replaced_by": new} for old, new in names],
        "tokens": tokens,
    }


def _word(token: int, tokenizer: Any) -> str:
    """Return a token as text; a token of blanks is quoted."""
    text = tokenizer.decode([token])
    return visible(text.strip()) or repr(text)


def fit(text: str, width: int) -> str:
    """Fit a text to a number of columns: padded with blanks, or cut with an ellipsis.

    Example:
        >>> fit("Lund", 6), fit("Göteborg", 6), fit("田中", 6)
        ('Lund  ', 'Göteb…', '田中  ')
    """
    from rich.cells import cell_len, set_cell_size

    short = cell_len(text) <= width
    return set_cell_size(text, width) if short else set_cell_size(text, width - 1) + "…"
