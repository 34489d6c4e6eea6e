"""Closeness of a model to the retrained one in forgetting, privacy and retained knowledge."""

from typing import Any

from unteach.metrics._base import KNOWLEDGE, comparison
from unteach.metrics._draws import Draw, Part, harmonic, together
from unteach.metrics._values import Table, area, attacked, mean, placed, shown, size, tables
from unteach.metrics.rows import Groups, MissingRows, ModelCase
from unteach.types import Score

CLOSENESS_VERSION = 1  # raised whenever a number could change


@comparison(
    "closeness",
    help="how near the model is to the retrained one in what it forgot, in what gives it away and "
    "in what it kept (1: as near as can be told; 0: as far as the original, broken, or "
    "over-forgotten)",
    should_be="as near 1 as a second retrained model",
    needs=("original", "retrained"),
    retrained="near 1; lower with few examples, as two samples of the same always differ",
    gaming="sees only what the rows see: not what comes back after quantisation or a little more "
    "training, nor in other words and languages; nor which of two examples is the known one",
)
def closeness(case: ModelCase) -> Score:
    """Harmonic mean of `closeness_forget`, `closeness_privacy` and `closeness_kept`."""
    return together(forget_part(case), privacy_part(case), kept_part(case))


@comparison(
    "closeness_forget",
    help="how much of the way from the original to the retrained model is gone on the forget "
    "answers; going past it takes away as much as falling short",
    should_be="as near 1 as a second retrained model",
    needs=("original", "retrained"),
    retrained="near 1",
    gaming="a broken model scores well where the retrained one knows nearly nothing: read it with "
    "the other two",
)
def closeness_forget(case: ModelCase) -> Score:
    """1 - (area between model and retrained) / (area between original and retrained), at least 0.

    Each area is between two cumulative curves (Wasserstein-1) of one value per forget example,
    summed over all available values (`_values.shown`). So values in which original and retrained
    differ most count most, and a value in which they do not differ cannot raise the score.
    """
    return together(forget_part(case))


@comparison(
    "closeness_privacy",
    help="how near the membership attacks are to what they get from the retrained model; standing "
    "out by being too unlikely takes away as much as by being too likely",
    should_be="as near 1 as a second retrained model",
    retrained="near 1; somewhat lower with few examples",
    gaming="a model that is equally broken everywhere gives nothing away: read it with what is "
    "kept",
)
def closeness_privacy(case: ModelCase) -> Score:
    """1 - normalised area between the ROC curves of model and retrained, mean over four attacks.

    The attacks are the loss, zlib, Min-K% and Min-K%++, on forget against holdout answers. The area
    above the retrained curve is divided by 1 - AUC retrained, the area below it by AUC retrained.
    So it is 1 at an AUC of 0 or 1, and half of that half-way there. The score is at least 0.
    Without a holdout set, the forget answers of both models are ranked among the retrained model's
    own.
    """
    return together(privacy_part(case))


@comparison(
    "closeness_kept",
    help="how near the model is to the retrained one on all other groups (0: one of them is as if "
    "never learned, or as far off)",
    should_be="as near 1 as a second retrained model",
    needs=("original", "retrained"),
    retrained="near 1",
    gaming="the original scores near 1, for it lost nothing: read it with the other two",
)
def closeness_kept(case: ModelCase) -> Score:
    """Harmonic mean over the groups of 1 - (area between model and retrained) / (area of forget).

    The areas are those of `closeness_forget`. The divisor is the change that learning a text makes,
    so a group that the model answers as if it had never seen it scores 0.
    """
    return together(kept_part(case))


def forget_part(case: ModelCase) -> Part:
    """The component for the forget groups."""
    models = [case.model, case.beside("original"), case.beside("retrained")]
    groups = _tables(models, forgotten=True)
    if not groups:
        raise MissingRows("no examples to forget")

    def of(draw: Draw) -> Any:
        ours = before = 0.0
        for group, (model, original, retrained) in groups.items():
            at = draw[group]
            for name, never in retrained.items():
                ours += area(model[name][at], never[at])
                before += area(original[name][at], never[at])
        return _share(ours, before)

    return Part(of, {group: size(found[0]) for group, found in groups.items()})


def privacy_part(case: ModelCase) -> Part:
    """The component for membership: the forget group against the holdout."""
    models = [case.model, case.beside("retrained")]
    members, others = (tables(attacked, models, group) for group in ("forget", "holdout"))
    if not members[0]:
        raise MissingRows("no answers to forget")
    alone = not others[0]
    if alone:
        others = [members[1], members[1]]
    names = [name for name in members[0] if name in others[0]]
    against = "forget" if alone else "holdout"

    def of(draw: Draw) -> Any:
        def curve(model: int, name: str) -> Any:
            return placed(members[model][name][draw["forget"]], others[model][name][draw[against]])

        gaps = [_gap(curve(0, name), curve(1, name)) for name in names]
        return _share(sum(gaps) / len(gaps), 1.0)

    sizes = {"forget": size(members[0]), against: size(others[0])}
    note = "no holdout set: ranked among the retrained model's own forget answers" if alone else ""
    return Part(of, sizes, note)


def _gap(ours: Any, theirs: Any) -> Any:
    """Area above the retrained curve and below it, each as a share of its maximum."""
    import numpy

    above, auc = numpy.sort(ours) - numpy.sort(theirs), mean(theirs)
    sides = ((numpy.maximum(above, 0.0), 1 - auc), (numpy.maximum(-above, 0.0), auc))
    return sum(mean(side) / numpy.where(room > 0, room, 1.0) for side, room in sides)


def kept_part(case: ModelCase) -> Part:
    """The component for all groups that are not to be forgotten."""
    models = [case.model, case.beside("original"), case.beside("retrained")]
    forgotten, kept = (_tables(models, forgotten=flag) for flag in (True, False))
    if not forgotten:
        raise MissingRows("no examples to forget")
    if not kept:
        raise MissingRows("no group to keep is given (retain, world, ...)")

    def of(draw: Draw) -> Any:
        worth = _worth(forgotten, draw)
        return harmonic([_held(found, draw[group], worth) for group, found in kept.items()])

    groups = {**forgotten, **kept}
    return Part(of, {group: size(found[0]) for group, found in groups.items()})


def _worth(forgotten: dict[str, list[Table]], draw: Draw) -> dict[str, Any]:
    """Effect of having learned an example on each value, averaged over the forget groups."""
    found: dict[str, list[Any]] = {}
    for group, (_, original, retrained) in forgotten.items():
        for name, never in retrained.items():
            at = draw[group]
            found.setdefault(name, []).append(area(original[name][at], never[at]))
    return {name: sum(areas) / len(areas) for name, areas in found.items()}


def _held(models: list[Table], at: Any, worth: dict[str, Any]) -> Any:
    model, _, retrained = models
    away = sum(area(model[name][at], never[at]) for name, never in retrained.items())
    # A value that the forget groups do not have is compared with 0.
    span = sum(worth.get(name, mean(never[at])) for name, never in retrained.items())
    return _share(away, span)


def _share(away: Any, span: Any) -> Any:
    """1 - away / span, at least 0; nan if the span is 0."""
    import numpy

    return numpy.maximum(1 - away / numpy.where(span > 0, span, numpy.nan), 0.0)


def _tables(models: list[Groups], *, forgotten: bool) -> dict[str, list[Table]]:
    """Tables by group; forget groups are those with the direction "low" in `KNOWLEDGE`."""
    names = [g for g in sorted(models[0]) if (KNOWLEDGE.get(g) == "low") is forgotten]
    found = {name: tables(shown, models, name) for name in names}
    return {name: one for name, one in found.items() if one[0]}
