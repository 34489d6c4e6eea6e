"""Reverse KL is better than forward KL."""

from claim import Claim, Found, Part, Run, options

RATES = (3e-4, 1e-3)


def judge(found: Found) -> list[Part]:
    return [
        Part(
            found.more(f"reverse, {r:g}", f"forward, {r:g}", "M and U"),
            f"at {r:g} M and U is {found.show(f'reverse, {r:g}', 'M and U')} with the reverse KL "
            "and "
            f"{found.show(f'forward, {r:g}', 'M and U')} with the forward",
        )
        for r in RATES
    ]


CLAIM = Claim(
    title="Unilogit: reverse KL is better than forward",
    paper="unilogit",
    where="method; the authors' code has reverse (second-hand)",
    says="KL(model || label) forgets and keeps better than KL(label || model).",
    protocol="Beside the likelihood of the retain data, 10 epochs, two rates; `method.direction`.",
    judge=judge,
    runs={
        f"{way}, {rate:g}": Run(
            "unilogit",
            rate,
            options=() if way == "reverse" else options(method__direction=way),
        )
        for way in ("reverse", "forward")
        for rate in RATES
    },
    columns={"M": "M", "U": "U", "M and U": "M and U", "total": "total"},
)
