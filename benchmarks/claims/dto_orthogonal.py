"""Taking the targets' gradient apart from the KL's lessens their conflict."""

from claim import Claim, Found, Part, Run, options

WAYS = ("off", "conflict", "always")


def judge(found: Found) -> list[Part]:
    best = max(WAYS[1:], key=lambda way: found.mean(way, "M and U"))
    return [
        Part(
            found.more(best, "off", "U"),
            f"U is {found.show(best, 'U')} ({best}) against {found.show('off', 'U')} (off)",
        ),
        Part(
            found.more(best, "off", "M and U"),
            f"M and U is {found.show(best, 'M and U')} ({best}) against "
            f"{found.show('off', 'M and U')} (off)",
        ),
    ]


CLAIM = Claim(
    title="DTO: orthogonal gradients lessen the conflict",
    paper="dto",
    where="an ablation of the paper, told by third-party abstracts",
    says="Where the gradient of forgetting is made orthogonal to that of the KL, the two are less "
    "in "
    "each other's way: more is kept at as much forgotten.",
    protocol="DTO as read (plain ascent, the suffix held, KL weight 1) at 3e-4, 10 epochs, forget "
    "data alone; `method.orthogonalize` off, where the two conflict, always.",
    judge=judge,
    runs={
        way: Run(
            "dto",
            3e-4,
            alone=True,
            options=options(
                method__objective="ascent",
                method__suffix="held",
                method__hold=1.0,
                **({} if way == "off" else {"method__orthogonalize": way}),
            ),
        )
        for way in WAYS
    },
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "forget p": "forget probability",
        "retain p": "retain probability",
    },
)
