"""Unilogit balances forgetting and keeping better than NPO and UnDIAL, with nothing to set."""

from claim import Claim, Found, Part, Run

RATES = (1e-4, 3e-4, 1e-3)
OTHERS = {"npo": "npo", "undial": "undial"}
METHODS = ("unilogit", *OTHERS)


def best(found: Found, name: str) -> str:
    return max((f"{name}, {r:g}" for r in RATES), key=lambda label: found.mean(label, "M and U"))


def judge(found: Found) -> list[Part]:
    ours = best(found, "unilogit")
    parts = []
    for name in OTHERS:
        theirs = best(found, name)
        parts.append(
            Part(
                found.more(ours, theirs, "M and U"),
                f"at its best rate M and U is {found.show(ours, 'M and U')} ({ours}) against "
                f"{found.show(theirs, 'M and U')} ({theirs})",
            )
        )
    return parts


CLAIM = Claim(
    title="Unilogit: a better balance, nothing to set",
    paper="unilogit",
    where="abstract",
    says="Without a hyper-parameter of its own, Unilogit balances forgetting and keeping better "
    "than "
    "NPO and UnDIAL.",
    protocol="The loss beside the likelihood of the retain data, 10 epochs, three rates, the "
    "methods' defaults (NPO's beta 0.1, UnDIAL's strength 30).",
    judge=judge,
    runs={f"{name}, {rate:g}": Run(name, rate) for name in METHODS for rate in RATES},
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "total": "total",
        "forget p": "forget probability",
        "AUC": "membership AUC",
    },
)
