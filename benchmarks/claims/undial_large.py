"""UnDIAL keeps the rest also where much is forgotten."""

from claim import Claim, Found, Part, Run, options

RATES = {"undial": 1e-3, "npo": 3e-4, "ascent": 1e-4}
SHARES = {"3%": "first-1", "20%": "forget", "30%": "first-9"}
FELL = 0.1  # of the retain answers' probability
NEVER = 0.05  # above the holdout's


def judge(found: Found) -> list[Part]:
    def kept(name: str) -> float:
        first, last = (found.mean(f"{name}, {x}", "retain probability") for x in ("3%", "30%"))
        return first - last

    gone = [
        found.mean(f"undial, {x}", "forget probability")
        - found.mean(f"undial, {x}", "holdout probability")
        for x in SHARES
    ]
    shown = {
        name: ", ".join(found.show(f"{name}, {x}", "retain probability") for x in SHARES)
        for name in RATES
    }
    return [
        Part(max(gone) <= NEVER, "forget p less the holdout's, for " + ", ".join(SHARES) + ": "
             + ", ".join(f"{x:.2f}" for x in gone) + f" (asked: at most {NEVER})"),
        Part(kept("undial") <= FELL, f"retain p for the same shares is {shown['undial']}"),
        Part(kept("undial") < min(kept("npo"), kept("ascent")),
             f"from 3% to 30% it falls by {kept('undial'):.2f}, less than with NPO "
             f"({shown['npo']}) and with ascent ({shown['ascent']})"),
    ]  # fmt: skip


CLAIM = Claim(
    title="UnDIAL: scales to large forget sets",
    paper="undial",
    where="abstract and tables on larger and larger forget sets",
    says="With a larger part of the data to forget, UnDIAL still forgets it and keeps the rest, "
    "where NPO and ascent keep less and less.",
    protocol="1, 6 and 9 of the 30 people, without a retain term, 10 epochs (so more steps for "
    "more people): UnDIAL with strength 10 at 0.001, NPO at 0.0003, ascent at 0.0001. No model was "
    "retrained for the other shares: *never seen* is the holdout's level.",
    judge=judge,
    runs={
        f"{name}, {share}": Run(
            name,
            rate,
            alone=True,
            forget=file,
            options=options(method__strength=10) if name == "undial" else (),
        )
        for name, rate in RATES.items()
        for share, file in SHARES.items()
    },
    columns={
        "forget p": "forget probability",
        "never seen p": "holdout probability",
        "facts given": "fact given",
        "retain p": "retain probability",
        "other facts p": "world probability",
    },
)
