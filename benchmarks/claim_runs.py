"""One run of a claim: unlearn on a world, look at every epoch, and judge the model in the end."""

import math
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import fmean

from claim import Run
from claim_worlds import NAMES, make
from demo import KEPT, VALUES
from runs import unlearned
from score import harmonic, scores

from unteach.files.rows import read_rows, write_rows

BATCH, PROBE = 16, 40  # examples of a step; answers that are looked at after every epoch
LIMIT = 80  # answers of what is kept that are scored; what is forgotten is scored whole
CURVES = ("forget", "retain", "holdout")


def once(work: Path, run: Run, world: int, tell=None) -> dict:
    """What a run gives on a world; read where it was made before."""
    folder = make(work, world)
    name = sha256(str(run).encode()).hexdigest()[:16]
    looks: dict[str, list[float]] = {role: [] for role in CURVES}
    judging = judging_of(folder, run.forget)

    def evaluate(out: Path, _) -> dict:
        curves = {f"{role} by epoch": found for role, found in looks.items()}
        return values_of(rows_of(out, judging), folder, whole=run.forget == "forget") | curves

    asked = request(folder, run, folder / "runs" / name, world)
    with starting(run.start):
        file = folder / "runs" / f"{name}.json"
        return {"run": str(run), **unlearned(asked, file, evaluate, [looking(judging, looks)])}


def request(folder: Path, run: Run, out: Path, seed: int):
    """The request: no stop and no drawing back, which are not the papers'."""
    from unteach.settings.request import Request

    given = {"forget": f"{run.forget}.jsonl"}
    if not run.alone:
        given["retain"] = kept(run.forget)
    asked = {
        "model": str(folder / "original"),
        "out": out,
        "device": "cpu",
        **{role: str(folder / "data" / file) for role, file in given.items()},
        "method": {"name": run.method},
        "train": {"batch_size": BATCH, "epochs": run.epochs, "learning_rate": run.rate,
                  "seed": seed, "stop_at": 0, "draw_back": "never"},
    }  # fmt: skip
    if run.alone:
        asked["train"]["retain"] = "none"
    for name, value in run.options:
        section, _, setting = name.partition(".")
        asked.setdefault(section, {})[setting] = value
    return Request.model_validate(asked)


def judging_of(folder: Path, forget: str):
    """The checked request of what every model is asked."""
    from unteach.checks.request import check
    from unteach.settings.request import Request

    files = {"forget": f"{forget}.jsonl", "retain": kept(forget), "holdout": "holdout.jsonl"}
    data = {role: str(folder / "data" / file) for role, file in files.items()}
    also = {"world": str(folder / "data" / "world.jsonl")}
    return check(Request.model_validate({
        "model": str(folder / "original"), "out": folder / "none", "device": "cpu", **data,
        "method": {"name": "unilogit"}, "train": {"draw_back": "never", "stop_at": 0},
        "evaluate": {"also": also},
    }))  # fmt: skip


def kept(forget: str) -> str:
    """The file of all that is not forgotten."""
    return "retain.jsonl" if forget == "forget" else f"{forget.replace('first', 'others')}.jsonl"


def rows_of(model: Path, judging):
    """What a model on disk says."""
    from unteach.models.loading import load_model
    from unteach.suites import AskSettings, Group
    from unteach.suites.ask import score_groups
    from unteach.suites.own import sample

    groups = {
        role: Group(examples=examples if role == "forget" else sample(examples, LIMIT))
        for role, examples in judging.groups.items()
    }
    how = AskSettings(max_length=128, max_new_tokens=24, tokens_per_batch=8192)
    loaded = load_model(str(model), device="cpu")
    return score_groups(loaded, judging.tokenizer, groups, how).rows


def known(folder: Path, name: str):
    """Rows of a model that does not change."""
    file = folder / f"{name}.jsonl"
    if not file.exists():
        write_rows(file, rows_of(folder / name, judging_of(folder, "forget")))
    return read_rows(file)[0]


def values_of(rows, folder: Path, *, whole: bool) -> dict[str, float]:
    """The numbers of one model; those beside a retrained one where the whole file was forgotten."""
    from unteach.metrics import METRICS, compare

    def own(rows):
        return {n: METRICS.get(metric)(group, rows).value for n, (group, metric) in VALUES.items()}

    found = own(rows)
    if not whole:
        return found
    original, never = (known(folder, name) for name in NAMES)
    quality = compare(rows, never)["forget_quality"].value
    parts = scores(found, own(original), own(never), KEPT)
    both = harmonic([parts["M"], parts["U"]])
    return {**found, "forget quality": quality, **parts, "M and U": both}


def look_at(model, sequences) -> float:
    """The mean probability per token of some answers."""
    from unteach.inference import answer_tokens

    found = answer_tokens(model, sequences, tokens_per_batch=8192)
    return fmean(math.exp(fmean(one.logps)) for one in found)


def looking(judging, looks):
    """A callback that looks at a few answers of each kind after every epoch."""
    from transformers import TrainerCallback

    from unteach.training.safeguards.draw_back import evenly

    probes = {role: evenly(judging.sequences[role], PROBE) for role in CURVES}

    class Looking(TrainerCallback):
        def on_epoch_end(self, args, state, control, model=None, **kwargs):
            model.eval()
            for role, sequences in probes.items():
                looks[role].append(look_at(model, sequences))
            model.train()

    return Looking()


@contextmanager
def starting(start: str):
    """With "uniform", adapters start from the largest part of each weight, whatever is used."""
    from unteach.adapters import fila

    usual = fila.row_weights
    if start == "uniform":
        fila.row_weights = lambda forget, retain, epsilon: forget.new_ones(forget.shape[0])
    try:
        yield
    finally:
        fila.row_weights = usual
