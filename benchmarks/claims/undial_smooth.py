"""UnDIAL converges smoothly."""

from claim import Claim, Found, Part, Run, options

STILL, SMOOTH, KEPT = 0.02, 0.02, 0.8
STEADY = options(train__lr_scheduler_type="constant")  # else the falling rate alone would end it
UNDIAL = ("undial, 0.0003", "undial, 0.001")


def judge(found: Found) -> list[Part]:
    def part(column: str, limit: float, told: str) -> Part:
        shown = ", ".join(f"{found.show(x, column)} ({x})" for x in found.lines)
        holds = all(found.mean(x, column) <= limit for x in UNDIAL)
        return Part(holds, f"{told}: {shown}; at most {limit} asked")

    return [
        part("moved in the last epochs", STILL, "how far p moved in the last three epochs"),
        part("largest rise", SMOOTH, "largest rise of the forget answers' p from epoch to epoch"),
        Part(
            min(found.mean(x, "lowest retain") for x in UNDIAL) >= KEPT,
            f"lowest p of the retain answers at any epoch (asked: {KEPT}): "
            + ", ".join(f"{found.show(x, 'lowest retain')} ({x})" for x in found.lines),
        ),
    ]


CLAIM = Claim(
    title="UnDIAL: smooth convergence",
    paper="undial",
    where="abstract and figures",
    says="The forget answers' probability sinks smoothly to where the strength puts it, and stays; "
    "the rest is kept meanwhile.",
    protocol="Without a retain term, 20 epochs at a constant rate, strength 10; NPO and ascent "
    "likewise. Read off 40 answers of each kind after every epoch. NPO and ascent end near 0, "
    "where nothing moves either.",
    judge=judge,
    runs={
        "undial, 0.0003": Run("undial", 3e-4, 20, True, (*options(method__strength=10), *STEADY)),
        "undial, 0.001": Run("undial", 1e-3, 20, True, (*options(method__strength=10), *STEADY)),
        "npo, 0.0003": Run("npo", 3e-4, 20, True, STEADY),
        "ascent, 0.0003": Run("ascent", 3e-4, 20, True, STEADY),
    },
    columns={
        "largest rise": "largest rise",
        "moved at the end": "moved in the last epochs",
        "lowest retain p": "lowest retain",
        "forget p": "forget probability",
        "U": "U",
    },
)
