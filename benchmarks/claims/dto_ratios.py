"""How many tokens are targets, and how long the suffix is, matters to DTO."""

from claim import Claim, Found, Part, Run, options

MATTERS = 0.05  # a change of M and U
RATIOS, SUFFIXES = (0.1, 0.3, 0.6), (0.1, 0.25, 0.5)


def label(ratio: float, suffix: float) -> str:
    return f"targets {ratio:g}, suffix {suffix:g}"


def part(found: Found, what: str, labels: list[str]) -> Part:
    shown = ", ".join(found.show(x, "M and U") for x in labels)
    return Part(
        not found.alike(labels, "M and U", MATTERS),
        f"over {what}, M and U is {shown} (*matters*: the means are more than {MATTERS} apart)",
    )


def judge(found: Found) -> list[Part]:
    return [
        part(found, "targets 0.1, 0.3, 0.6", [label(r, 0.25) for r in RATIOS]),
        part(found, "suffixes 0.1, 0.25, 0.5", [label(0.3, s) for s in SUFFIXES]),
    ]


CLAIM = Claim(
    title="DTO: target ratio and suffix ratio matter",
    paper="dto",
    where="the paper's figures on both, told by a review",
    says="The result depends on the share of the tokens that are targets, and on that of the "
    "suffix; both are set by hand.",
    protocol="DTO as read (plain ascent, the suffix held, KL weight 1) at 3e-4, 10 epochs, forget "
    "data alone.",
    judge=judge,
    runs={
        label(ratio, suffix): Run(
            "dto",
            3e-4,
            alone=True,
            options=options(
                method__objective="ascent",
                method__suffix="held",
                method__hold=1.0,
                **({} if ratio == 0.3 else {"method__ratio": ratio}),
                **({} if suffix == 0.25 else {"method__suffix_ratio": suffix}),
            ),
        )
        for ratio, suffix in dict.fromkeys(
            [*((r, 0.25) for r in RATIOS), *((0.3, s) for s in SUFFIXES)]
        )
    },
    columns={"M": "M", "U": "U", "M and U": "M and U", "total": "total"},
)
