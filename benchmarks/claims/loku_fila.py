"""FILA speeds forgetting up, and keeps more, than other starts of the adapters."""

from claim import Claim, Found, Part, Run, options

RATES = (1e-3, 3e-3)
STARTS = {
    "FILA": ("", ()),
    "plain": ("", options(adapter__init="default")),
    "largest part": ("uniform", ()),
}


def judge(found: Found) -> list[Part]:
    parts = []
    for rate in RATES:
        ours = f"FILA, {rate:g}"
        for name in ("plain", "largest part"):
            theirs = f"{name}, {rate:g}"
            parts.append(
                Part(
                    found.more(theirs, ours, "epochs to the level", by=0.5),
                    f"at {rate:g} {found.show(ours, 'epochs to the level')} epochs to the level "
                    f"against {found.show(theirs, 'epochs to the level')} ({name})",
                )
            )
            parts.append(
                Part(
                    found.more(ours, theirs, "retain at the level"),
                    f"at {rate:g} the retain answers' p is then "
                    f"{found.show(ours, 'retain at the level')} against "
                    f"{found.show(theirs, 'retain at the level')} ({name})",
                )
            )
    return parts


CLAIM = Claim(
    title="LoKU: FILA is faster and keeps more",
    paper="loku",
    where="section on the initialisation, and its figures (as in the authors' code)",
    says="Adapters that start from what the forget set uses, relative to the retain set, forget in "
    "fewer epochs and keep more than adapters that start from zero, or from the largest part of "
    "each weight.",
    protocol="LoKU's loss beside the likelihood of the retain data, rank 16, 10 epochs, two rates. "
    "*Epochs to the level*: the first epoch after which the forget answers are no likelier than "
    "those never seen (11 where none is); *largest part*: FILA with every row of a weight alike, "
    "which is PiSSA's start.",
    judge=judge,
    remark="Rank 16 is an eighth of these models' width, so that the largest part has much of what "
    "the forget set uses. Without a start of its own an adapter begins at zero, and the inverted "
    "hinge's gradient is small on answers known by heart.",
    runs={
        f"{label}, {rate:g}": Run("loku", rate, options=given, start=start)
        for label, (start, given) in STARTS.items()
        for rate in RATES
    },
    columns={
        "epochs to the level": "epochs to the level",
        "retain p then": "retain at the level",
        "M": "M",
        "U": "U",
        "M and U": "M and U",
    },
)
