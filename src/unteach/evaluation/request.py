"""Define the settings of an evaluation, and parse model labels."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from unteach.errors import Problem, UserError
from unteach.settings.gates import Gates, spelled
from unteach.settings.messages import told
from unteach.settings.sections import Count, Section

LABEL = re.compile(r"\w[\w.+-]*")
Label = Annotated[str, Field(pattern=rf"^{LABEL.pattern}$")]
YARDSTICKS = ("original", "retrained")


class Evaluation(Section):
    """Settings of an evaluation: models, suite, options and output folder.

    Attributes:
        models: folders or hub ids (`owner/name[@revision]`) by label, in order; a protocol over
            several requests takes them as its steps.
        suite: name of the suite.
        out: the folder to create.
        data: a folder with the suite's files; None loads them from the hub.
        options: of the suite.
        original: the original model, before unlearning.
        retrained: a model that never saw the forget set.
        reference_rows: rows of the retrained model, written before, in place of the model.
        limit: number of examples of each group, sampled with seed 0; None is all. For a first look:
            the suite's numbers are those without a limit.
        gates: what must hold, fixed before; of one model, by the suite `own`.
        compat: a project whose variants of metrics are computed too.
        gradient_norms: also run the membership attack by gradient norm; costs a backward pass for
            every answer.
        max_length: tokens of one text; None takes the model's context.
        template: how prompt and answer are joined, for suites that do not fix it.
        max_new_tokens: maximum length of a generated answer; None takes the suite's.
        tokens_per_batch: padded tokens of one forward.
        bits: 4 loads every model in 4 bits.
        keep_text: write the generated texts into `texts.jsonl`; does not use cached rows.
        cache: folder of the row cache; None for no cache.
        overwrite: replace the contents of `out`.
        dtype: of the weights in memory; "auto" is float32 on a CPU, else the checkpoint's.
        device: "auto" is the first accelerator, else the CPU.
        trust_remote_code: run the code that comes with a model.
    """

    models: Annotated[dict[Label, str], Field(min_length=1)]
    suite: str = "own"
    out: Path = Path("unteach-evaluation")
    data: Path | None = None
    options: dict[str, str] = Field(default_factory=dict)
    original: str | None = None
    retrained: str | None = None
    reference_rows: Path | None = None
    limit: Count | None = None
    gates: Gates = Gates()
    compat: Literal["", "open-unlearning"] = ""
    gradient_norms: bool = False
    max_length: Annotated[int, Field(ge=8)] | None = None
    template: Literal["auto", "chat", "plain", "none"] = "auto"
    max_new_tokens: Count | None = None
    tokens_per_batch: Count = 4096
    bits: Literal[4] | None = None
    keep_text: bool = False
    cache: Path | None = None
    overwrite: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = False

    @property
    def paths(self) -> dict[str, str]:
        """Every model by its label, including the original and the retrained one."""
        original = {"original": self.original} if self.original else {}
        retrained = {"retrained": self.retrained} if self.retrained else {}
        return {**original, **self.models, **retrained}


def labelled(models: list[str]) -> dict[str, str]:
    """Models by label, from `label=path` or a bare path.

    A single bare path is labelled "model", several by the last part of their paths.

    Raises:
        UserError: two models have the same label, or a label is "original" or "retrained".

    Example:
        >>> labelled(["out/npo"]), labelled(["a=out/npo", "out/dto"])
        ({'model': 'out/npo'}, {'a': 'out/npo', 'dto': 'out/dto'})
    """
    found: dict[str, str] = {}
    for given in models:
        label, equals, path = given.partition("=")
        if not equals or "/" in label:
            path, label = given, "model" if len(models) == 1 else _label(given)
        if not LABEL.fullmatch(label):
            hint = "write label=path, with letters, digits and . + - in the label"
            raise UserError(Problem("--model", "has a label that is none", hint, "request"))
        if label in found or label in YARDSTICKS:
            what = f'the label "{label}" is taken'
            hint = "write label=path, with a label of its own for each model"
            raise UserError(Problem(f"--model {given}", what, hint, "request"))
        found[label] = path
    return found


def _label(path: str) -> str:
    """The last part of a path as a label.

    Example:
        >>> _label("runs/my model (2)"), _label("owner/name@main")
        ('my-model-2', 'name')
    """
    name = re.sub(r"[^\w.+-]+", "-", Path(path).name.partition("@")[0])
    return name.strip("-.+") or "model"


def evaluation_request(**given: Any) -> Evaluation:
    """An evaluation from keyword arguments; None takes the default.

    Raises:
        UserError: all wrong values.
    """
    try:
        given = {key: value for key, value in given.items() if value is not None}
        return Evaluation(**spelled(given))
    except ValidationError as error:
        raise UserError(*map(_explained, error.errors())) from None


def _explained(error: Any) -> Problem:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "missing" or name == "models":
        flag = "--model" if name == "models" else f"--{name}"
        return Problem(flag, "is not given", f"add {flag}", "request")
    flag = name.replace("_", "-")
    return Problem(f"--{flag}", f"got {told(error['input'])}", error["msg"], "request")
