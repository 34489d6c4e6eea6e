"""The KL on the tokens that are not targets helps on questions and answers."""

from claim import Claim, Found, Part, Run, options

HELD = (0.0, 1.0, 10.0)


def judge(found: Found) -> list[Part]:
    without, one, ten = (f"weight {hold:g}" for hold in HELD)
    most = max((one, ten), key=lambda label: found.mean(label, "M and U"))
    return [
        Part(
            found.more(most, without, "U"),
            f"U is {found.show(most, 'U')} with the KL ({most}) and {found.show(without, 'U')} "
            "without",
        ),
        Part(
            found.more(most, without, "M and U"),
            f"M and U is {found.show(most, 'M and U')} with the KL and "
            f"{found.show(without, 'M and U')} without",
        ),
    ]


CLAIM = Claim(
    title="DTO: the KL on other tokens helps on questions",
    paper="dto",
    where="an ablation of the paper, told by a review: the KL helps on TOFU and hurts on MUSE's "
    "books",
    says="Holding the tokens that are not targets by a KL to the original keeps more of the rest, "
    "where the data are questions and answers.",
    protocol="DTO as read (plain ascent on targets, the suffix held) at 3e-4, 10 epochs, forget "
    "data alone, with three weights of the KL. Books were not tried.",
    judge=judge,
    runs={
        f"weight {hold:g}": Run(
            "dto",
            3e-4,
            alone=True,
            options=options(method__objective="ascent", method__suffix="held", method__hold=hold),
        )
        for hold in HELD
    },
    columns={
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "forget p": "forget probability",
        "retain p": "retain probability",
    },
)
