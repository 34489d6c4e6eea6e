"""UnDIAL's result hardly depends on the learning rate, nor on the strength."""

from claim import Claim, Found, Part, Run, options

RATES, STRENGTHS = (1e-4, 1e-3, 3e-3), (3, 10, 30)
WITHIN = 0.1  # of M and U
KEPT = 0.8


def label(strength: int, rate: float) -> str:
    return f"strength {strength}, {rate:g}"


def judge(found: Found) -> list[Part]:
    parts = []
    for strength in STRENGTHS:
        labels = [label(strength, rate) for rate in RATES]
        parts.append(
            Part(
                found.alike(labels, "M and U", WITHIN),
                f"over rates 30 apart at strength {strength}, M and U is "
                + ", ".join(found.show(x, "M and U") for x in labels)
                + f" (*robust*: within {WITHIN})",
            )
        )
    at = [label(strength, 1e-3) for strength in STRENGTHS]
    parts.append(
        Part(
            found.alike(at, "M and U", WITHIN),
            "over strengths 3, 10, 30 at 0.001, M and U is "
            + ", ".join(found.show(x, "M and U") for x in at),
        )
    )
    every = {x: found.mean(x, "U") for s in STRENGTHS for r in RATES for x in (label(s, r),)}
    low = min(every, key=every.__getitem__)
    npo = min((f"npo, {r:g}" for r in RATES), key=lambda x: found.mean(x, "U"))
    parts.append(
        Part(
            every[low] >= KEPT,
            f"the least U of all is {found.show(low, 'U')} ({low}); of NPO over the same rates "
            f"{found.show(npo, 'U')} ({npo})",
        )
    )
    return parts


CLAIM = Claim(
    title="UnDIAL: robust to rate and strength",
    paper="undial",
    where="abstract, and the figures on hyper-parameters (rates over 30 times, strengths 3 to 30)",
    says="Forgetting and keeping hardly change with the learning rate or the strength, where NPO "
    "and "
    "ascent collapse.",
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
    "destroys), "
    "for a port whose mask is faulty ([differences](concepts/differences.md)).",
)
