"""DTO forgets better than the baselines with the forget data alone, and keeps as much."""

from claim import Claim, Found, Part, Run, options

RATES = (1e-4, 3e-4, 1e-3)
PAPER = options(method__objective="ascent", method__suffix="held", method__hold=1.0)
METHODS = {"dto, as read": ("dto", PAPER), "dto, default": ("dto", ()), "ascent": ("ascent", ()),
           "npo": ("npo", ())}  # fmt: skip
BAR = 0.05  # forget quality from where on TOFU calls it forgotten
USEFUL = 0.8  # of what is kept, from where on utility counts as comparable


def best(found: Found, name: str) -> str:
    """The rate with the best forget quality of those that stay useful; else the most useful."""
    labels = [f"{name}, {rate:g}" for rate in RATES]
    useful = [label for label in labels if found.mean(label, "U") >= USEFUL]
    if not useful:
        return max(labels, key=lambda label: found.mean(label, "U"))
    return max(useful, key=lambda label: found.mean(label, "forget quality"))


def judge(found: Found) -> list[Part]:
    ours = [best(found, name) for name in ("dto, as read", "dto, default")]
    ours_best = max(ours, key=lambda label: found.mean(label, "forget quality"))
    others = {name: best(found, name) for name in ("ascent", "npo")}
    quality = found.mean(ours_best, "forget quality")
    theirs = {label: found.mean(label, "forget quality") for label in others.values()}
    top = max(theirs, key=theirs.__getitem__)
    utility = found.mean(ours_best, "U")
    return [
        Part(
            quality > theirs[top] and utility >= USEFUL,
            f"of each method the rate with the best forget quality where U is at least {USEFUL} "
            "(or "
            f"the most useful): {ours_best} has {found.show(ours_best, 'forget quality')} at U "
            f"{found.show(ours_best, 'U')}; the best baseline, {top}, has "
            f"{found.show(top, 'forget quality')} at U {found.show(top, 'U')}",
        ),
        Part(
            quality >= BAR and utility >= USEFUL,
            f"it reaches TOFU's bar of {BAR}",
        ),
        Part(
            found.mean(ours_best, "M and U") > max(found.mean(x, "M and U") for x in theirs),
            f"M and U there: {found.show(ours_best, 'M and U')} for DTO, "
            + ", ".join(f"{found.show(x, 'M and U')} for {x}" for x in theirs),
        ),
    ]


CLAIM = Claim(
    title="DTO: better forget quality from the forget data alone",
    paper="dto",
    where="abstract (up to 16.8 times the latest baselines' forget quality, at comparable "
    "utility); reviews of the submission for the rest",
    says="With nothing but the forget data, DTO's forget quality is far above the baselines', and "
    "as much of the model is kept.",
    protocol="10 epochs, three rates, no retain data for anybody. *As read*: plain ascent on the "
    "chosen tokens, the suffix held, KL weight 1; *default*: what `--method dto` trains with. The "
    "paper's settings are unknown.",
    judge=judge,
    remark="Measured before, on TOFU forget01 with a 3M model and each method's defaults of then "
    "(`benchmarks/results/stories3m-defaults.md`): forget quality 0.05 for DTO, 0.27 "
    "for ascent and graddiff, 0.10 for NPO (the last two with retain data).",
    runs={
        f"{label}, {rate:g}": Run(name, rate, alone=True, options=given)
        for label, (name, given) in METHODS.items()
        for rate in RATES
    },
    columns={
        "forget quality": "forget quality",
        "M": "M",
        "U": "U",
        "M and U": "M and U",
        "total": "total",
        "retain p": "retain probability",
    },
)
