"""A soft label made of the current model is better than one of the original's."""

from claim import Claim, Found, Part, Run, options

RATES = (3e-4, 1e-3)


def judge(found: Found) -> list[Part]:
    return [
        Part(
            found.more(f"current, {r:g}", f"original, {r:g}", "M and U"),
            f"at {r:g} M and U is {found.show(f'current, {r:g}', 'M and U')} with the current "
            f"model's label and {found.show(f'original, {r:g}', 'M and U')} with the original's",
        )
        for r in RATES
    ]


CLAIM = Claim(
    title="Unilogit: the label of the current model is better",
    paper="unilogit",
    where="abstract and method; the other way is commented out in the authors' code (second-hand)",
    says="A soft label made of the model as it is at each step is better than one of the model "
    "before training.",
    protocol="Beside the likelihood of the retain data, 10 epochs, two rates; `method.target`.",
    judge=judge,
    runs={
        f"{target}, {rate:g}": Run(
            "unilogit",
            rate,
            options=() if target == "current" else options(method__target=target),
        )
        for target in ("current", "original")
        for rate in RATES
    },
    columns={"M": "M", "U": "U", "M and U": "M and U", "total": "total"},
)
