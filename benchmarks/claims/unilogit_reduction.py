"""The mean over the vocabulary, as the authors' code is said to take it, against the sum."""

from claim import Claim, Found, Part, Run, options

RATES = (3e-4, 1e-3)
LEAST = 0.5  # of what was to be forgotten


def judge(found: Found) -> list[Part]:
    most = max((f"mean, {r:g}" for r in RATES), key=lambda label: found.mean(label, "M"))
    return [
        Part(
            found.mean(most, "M") >= LEAST,
            f"with the mean, M is at most {found.show(most, 'M')} ({most}); to forget is to reach "
            f"{LEAST}",
        ),
        Part(
            any(found.more(f"mean, {r:g}", f"sum, {r:g}", "M and U") for r in RATES),
            "M and U with the mean and the sum: "
            + "; ".join(
                f"{found.show(f'mean, {r:g}', 'M and U')} and "
                f"{found.show(f'sum, {r:g}', 'M and U')}"
                f" at {r:g}"
                for r in RATES
            ),
        ),
    ]


CLAIM = Claim(
    title="Unilogit: the mean over the vocabulary forgets",
    paper="unilogit",
    where="the authors' code, second-hand (a call without a reduction, whose default divides by "
    "the vocabulary)",
    says="The divergence's mean over the vocabulary, which weighs it a V-th as much beside the "
    "retain term, forgets as well as the sum.",
    protocol="Beside the likelihood of the retain data, 10 epochs, two rates, a vocabulary of "
    "about a thousand; `method.reduction`.",
    judge=judge,
    runs={
        f"{way}, {rate:g}": Run(
            "unilogit",
            rate,
            options=() if way == "sum" else options(method__reduction=way),
        )
        for way in ("sum", "mean")
        for rate in RATES
    },
    columns={"M": "M", "U": "U", "M and U": "M and U", "forget p": "forget probability"},
    remark="`--preset paper` takes the mean, the default of `unteach run` the sum.",
)
