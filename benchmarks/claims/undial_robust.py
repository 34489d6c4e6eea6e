"""UnDIAL's result hardly depends on the learning rate, nor on the strength."""

from claim import Claim, Found, Part, Run, options

RATES, STRENGTHS = (1e-4, 1e-3, 3e-3), (3, 10, 30)
WITHIN = 0.1  # of M and U
FORGOTTEN = 0.5  # of what was to be


def label(strength: int, rate: float) -> str:
    return f"strength {strength}, {rate:g}"


def over(found: Found, labels: list[str], told: str) -> Part:
    """Whether M and U is alike, and not because nothing is forgotten."""
    forgets = min(found.mean(x, "M") for x in labels) >= FORGOTTEN
    shown = ", ".join(found.show(x, "M and U") for x in labels)
    return Part(
        forgets and found.alike(labels, "M and U", WITHIN),
        f"over {told}, M and U is {shown} (asked: within {WITHIN}, M at least {FORGOTTEN})",
    )


def width(found: Found, labels: list[str]) -> float:
    means = [found.mean(x, "M and U") for x in labels]
    return max(means) - min(means)


def judge(found: Found) -> list[Part]:
    each = {s: [label(s, r) for r in RATES] for s in STRENGTHS}
    at = [label(s, 1e-3) for s in STRENGTHS]
    npo = width(found, [f"npo, {r:g}" for r in RATES])
    own = {s: width(found, labels) for s, labels in each.items() if s != STRENGTHS[0]}
    return [
        *(over(found, labels, f"rates 30 apart at strength {s}") for s, labels in each.items()),
        over(found, at, "strengths 3, 10, 30 at 0.001"),
        Part(
            max(own.values()) < npo,
            "over these rates M and U changes by "
            + " and ".join(f"{x:.2f} at strength {s}" for s, x in own.items())
            + f"; NPO's by {npo:.2f}",
        ),
    ]


CLAIM = Claim(
    title="UnDIAL: robust to rate and strength",
    paper="undial",
    where="abstract, and the figures on hyper-parameters (rates over 30 times, strengths 3 to 30)",
    says="Forgetting and keeping hardly change with the learning rate or the strength, where NPO "
    "and ascent collapse.",
    protocol="Without a retain term, as the paper has it, 10 epochs, three rates, three strengths; "
    "NPO over the same rates.",
    judge=judge,
    runs={
        **{
            label(s, r): Run("undial", r, alone=True, options=options(method__strength=s))
            for s in STRENGTHS
            for r in RATES
        },
        **{f"npo, {r:g}": Run("npo", r, alone=True) for r in RATES},
    },
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "total": "total",
        "forget p": "forget probability",
    },
    remark="Published third-party numbers contradict the claim (1e-5 forgets nothing, 3e-4 "
    "destroys), for a port whose mask is faulty ([differences](concepts/differences.md)).",
)
