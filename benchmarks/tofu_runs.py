"""The runs and the page of `benchmarks/tofu.py`."""

import json
import pickle
from importlib.metadata import version

from runs import markdown, number, read, unlearned, write
from score import DEFINITION, harmonic, scores

FACTORS = (1.0, 1 / 3)  # of the automatic rate
EPOCHS, BATCH = 5, 16
LIMITS = {"forget": 200, "retain": 60, "authors": 60, "facts": 60}  # rows scored, by seed 0
NEW_TOKENS = 40
GROUPS = {"forget": "forget", "retain": "retain_scored", "authors": "authors", "facts": "facts"}
TO_KEEP = ("retain", "authors", "facts")
KEPT = ("utility", *(f"{group} probability" for group in TO_KEEP))
COLUMNS = (
    "forget probability",
    "forget ROUGE-L",
    "extraction strength",
    "membership AUC",
    *KEPT,
    "forget quality",
)


def yardsticks(case, work, tell):
    """What the full and the retrained model score; the latter's rows are kept."""
    from unteach.checks.request import check

    intake = check(request(case, work, "unilogit", 1.0))
    rows = {name: rows_of(case / name, case, intake, tell) for name in ("retrained", "full")}
    work.mkdir(parents=True, exist_ok=True)
    with_alternates(case / "data" / "forget.jsonl", work / "dpo.jsonl")
    (work / "retrained.pickle").write_bytes(pickle.dumps(rows["retrained"]))
    for name, found in rows.items():
        write(work / f"{name}.json", values_of(found, rows["retrained"]))


def with_alternates(file, out):
    """DPO wants another answer to each question, which TOFU lacks: the first of its wrong ones."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**row, "alternate": row["perturbed_answer"][0]}) + "\n" for row in rows]
    out.write_text("".join(lines), encoding="utf-8")


def once(case, work, name, factor, tell):
    """One run, and what it scores."""
    asked = request(case, work, name, factor)

    def evaluate(out, intake):
        rows = rows_of(out, case, intake, tell)
        return values_of(rows, pickle.loads((work / "retrained.pickle").read_bytes()))

    return unlearned(asked, work / f"{name}_{factor:.2g}.json", evaluate)


def request(case, work, name, factor):
    """All is the method's default but for epochs, batch and the rate's factor."""
    from unteach.methods import METHODS
    from unteach.models.loading import load_config
    from unteach.settings.request import Request
    from unteach.training.learning_rate import automatic_rate

    plan = METHODS.get(name).plan
    config = load_config(str(case / "full"))
    rate = automatic_rate(config, adapter=plan.adapter == "lora", power=plan.power)
    return Request.model_validate(
        {
            "model": str(case / "full"),
            "out": work / f"{name}_{factor:.2g}",
            "device": "cpu",
            "forget": str(work / "dpo.jsonl" if name == "dpo" else case / "data" / "forget.jsonl"),
            "retain": str(case / "data" / "retain.jsonl"),
            "method": {"name": name},
            "train": {"batch_size": BATCH, "epochs": EPOCHS, "learning_rate": rate * factor},
        }
    )


def rows_of(folder, case, intake, tell):
    """The rows of a model on disk, on what TOFU scores."""
    from unteach.data import read as read_examples
    from unteach.models.loading import load_model
    from unteach.suites import AskSettings, Group
    from unteach.suites.ask import score_groups
    from unteach.suites.own import sample

    groups = {
        group: read_examples(str(case / "data" / f"{file}.jsonl"), group)[0]
        for group, file in GROUPS.items()
    }
    groups = {g: Group(examples=sample(found, LIMITS[g])) for g, found in groups.items()}
    settings = AskSettings(max_length=intake.request.data.max_length, max_new_tokens=NEW_TOKENS)
    model = load_model(str(folder), device="cpu")
    told = lambda what, done, total: tell(done, total, what)  # noqa: E731
    return score_groups(model, intake.tokenizer, groups, settings, progress=told).rows


def values_of(rows, retrained):
    """The numbers of one model.

    TOFU has no answers that no model saw, so membership is asked otherwise: do the forget answers
    stand out under this model, beside the same answers under the retrained one?
    """
    from unteach.metrics import METRICS, compare

    def value(metric, group, rows=rows):
        return METRICS.get(metric)(group, rows).value

    parts = ("probability", "rouge_l_recall", "truth_ratio")
    utility = harmonic([value(part, group) for group in TO_KEEP for part in parts])
    beside = {"forget": rows["forget"], "holdout": retrained["forget"]}
    return {
        "forget probability": value("probability", "forget"),
        "forget ROUGE-L": value("rouge_l_recall", "forget"),
        "extraction strength": value("extraction_strength", "forget"),
        "membership AUC": value("membership_auc_loss", "forget", beside),
        "utility": utility,
        **{f"{group} probability": value("probability", group) for group in TO_KEEP},
        "forget quality": compare(rows, retrained)["forget_quality"].value,
    }


def page(work):
    from unteach.methods import METHODS

    full, retrained = (read(work / f"{name}.json") for name in ("full", "retrained"))
    found = [line("full", full, full, retrained), line("retrained", retrained, full, retrained)]
    rows = []
    for name in METHODS:
        for factor in FACTORS:
            file = work / f"{name}_{factor:.2g}.json"
            if not file.exists():
                continue
            run = read(file)
            label = f"{name} ({run['rate']:.1e})".replace("e-0", "e-")
            rows.append(line(label, run["values"], full, retrained, run))
    rows.sort(key=lambda row: -float(row[1]))
    versions = ", ".join(f"{n} {version(n)}" for n in ("unteach", "torch", "transformers"))
    header = ["method (rate)", "M and U", "total", "M", "P", "U", *COLUMNS, "steps", "training s"]
    return "\n\n".join(
        [
            "# TOFU forget10 with a small model that learned all of it",
            f"By `benchmarks/tofu.py`; {versions}. A Llama of 2.6M parameters trained from nothing "
            "on TOFU's 4,000 pairs, real authors and world facts (*full*), and another without "
            "forget10 (*retrained*). Forget: the 400 pairs of forget10; retain: retain90, as many "
            f"rows an epoch. {EPOCHS} epochs, batch {BATCH}, seed 0; the automatic rate for the "
            "model's width and a third of it; all else the method's default, its stop among it. "
            f"Scored on rows drawn once: {LIMITS['forget']} forget pairs, {LIMITS['retain']} of "
            f"retain_perturbed, {LIMITS['authors']} real authors, {LIMITS['facts']} world facts "
            "(plain probabilities, not over TOFU's choices); greedy answers of at most "
            f"{NEW_TOKENS} tokens. "
            "*Membership AUC*: TOFU has no pairs that neither model saw, so the forget answers' "
            "loss under this model is set beside the same answers' under the retrained one: 0.5 is "
            "alike, 1 still known, 0 over-forgotten. Seconds are of processor time, on one thread. "
            "DPO's preferred answer is the first of TOFU's wrong ones, which forget quality reads.",
            DEFINITION,
            "The table is sorted by the harmonic mean of *M and U*: these models give unseen "
            f"answers a probability of {retrained['forget probability']:.0e}, so whatever is more "
            "likely than that still stands out, *P* is near 0 for nearly all runs, and so is "
            "*total*. (Sorted so after the results were seen.)",
            markdown(header, found + rows),
        ]
    ) + "\n"  # fmt: skip


def line(label, values, full, retrained, run=None):
    """Cells of one model; of a run whose loss broke none but its total."""
    if values is None:
        return [label, "0.00", "0.00", *["-"] * (len(COLUMNS) + 3), "-", "broke"]
    total = scores(values, full, retrained, KEPT)
    both = harmonic([total["M"], total["U"]])
    cells = [number(both), *(number(total[part]) for part in ("total", "M", "P", "U"))]
    cells += [number(values[name]) for name in COLUMNS]
    return [label, *cells, *(str(run[n]) if run else "-" for n in ("steps", "seconds"))]
