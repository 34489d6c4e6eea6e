"""The inverted hinge loss is stable where gradient ascent breaks."""

from claim import Claim, Found, Part, Run, options

RATES = (1e-4, 1e-3)
STABLE = 0.8  # of what is kept
FULL = options(adapter__kind="full", adapter__init="default")
KINDS = {
    "hinge, alone": ("loku", True, FULL),
    "ascent, alone": ("ascent", True, ()),
    "hinge + retain": ("loku", False, FULL),
    "ascent + retain": ("graddiff", False, ()),
}


def worst(found: Found, name: str) -> str:
    return min((f"{name}, {r:g}" for r in RATES), key=lambda label: found.mean(label, "U"))


def judge(found: Found) -> list[Part]:
    parts = []
    for kind in (", alone", " + retain"):
        ours, theirs = worst(found, f"hinge{kind}"), worst(found, f"ascent{kind}")
        told = (
            f"{kind.strip(', ')}: at its worst rate U is {found.show(ours, 'U')} ({ours}) against "
            f"{found.show(theirs, 'U')} ({theirs})"
        )
        parts.append(Part(found.more(ours, theirs, "U"), told))
        stable = found.mean(ours, "U") >= STABLE
        parts.append(Part(stable, f"{kind.strip(', ')}: U is at least {STABLE} at every rate"))
    return parts


CLAIM = Claim(
    title="LoKU: the hinge is stable where ascent breaks",
    paper="loku",
    where="section on the inverted hinge loss (the loss as in the authors' code)",
    says="Ascent spreads what it takes from a token over all others and has no end, so that it "
    "breaks the model; the inverted hinge is bounded and moves the next likeliest token.",
    protocol="All weights, 10 epochs, two rates; with the forget data alone, and beside the "
    "likelihood of the retain data (ascent with it is `graddiff`).",
    judge=judge,
    remark="LoKU as it is trains adapters beside the retain data. A bounded loss alone does not "
    "keep what it does not see: its minimum is a model that is sure of something else everywhere.",
    runs={
        f"{label}, {rate:g}": Run(name, rate, alone=alone, options=given)
        for label, (name, alone, given) in KINDS.items()
        for rate in RATES
    },
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "retain p": "retain probability",
        "other facts p": "world probability",
    },
)
