"""Taking the targets' gradient apart from the KL's lessens their conflict."""

from claim import Claim, Found, Part, Run, options

WAYS, RATES = ("off", "conflict"), (3e-4, 1e-3)
PAPER = {"method__objective": "ascent", "method__suffix": "held", "method__hold": 1.0}


def given(way: str) -> tuple:
    return options(**PAPER, **({} if way == "off" else {"method__orthogonalize": way}))


def judge(found: Found) -> list[Part]:
    def pair(rate: float, column: str) -> Part:
        off, on = (f"{way}, {rate:g}" for way in WAYS)
        says = f"at {rate:g} {column} is {found.show(on, column)} against {found.show(off, column)}"
        return Part(found.more(on, off, column), says)

    off, on = (
        max((f"{way}, {rate:g}" for rate in RATES), key=lambda x: found.mean(x, "M and U"))
        for way in WAYS
    )
    best = (
        f"at its better rate M and U is {found.show(on, 'M and U')} ({on}) against "
        f"{found.show(off, 'M and U')} ({off})"
    )
    return [*(pair(r, "U") for r in RATES), Part(found.more(on, off, "M and U"), best)]


CLAIM = Claim(
    title="DTO: orthogonal gradients lessen the conflict",
    paper="dto",
    where="an ablation of the paper, told by third-party abstracts",
    says="Where the gradient of forgetting is made orthogonal to that of the KL, the two are less "
    "in each other's way: more is kept at as much forgotten.",
    protocol="DTO as read (plain ascent, the suffix held, KL weight 1), 10 epochs, two rates, "
    "forget data alone; `method.orthogonalize` off, where the two conflict, and always.",
    judge=judge,
    runs={
        **{
            f"{way}, {rate:g}": Run("dto", rate, alone=True, options=given(way))
            for way in WAYS
            for rate in RATES
        },
        "always, 0.0003": Run("dto", 3e-4, alone=True, options=given("always")),
    },
    remark="*Always* is *conflict* where the two gradients conflict at every step.",
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "forget p": "forget probability",
        "retain p": "retain probability",
    },
)
