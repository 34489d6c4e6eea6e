"""The page of `sequential.py`: what ten requests one after the other leave, from its lines."""

from statistics import fmean

LAST = (
    "method", "replay", "requests", "orders", "known again", "worst given", "mean given",
    "worst p", "mean p", "band", "retain kept", "closeness",
)  # fmt: skip
SEEN = ("known", "worst_given", "mean_given", "worst_p", "mean_p", "band", "retain_kept")


def page(lines, never, markdown):
    """Markdown.

    Args:
        lines: of all steps.
        never: what models say that were retrained without the first so many.
        markdown: makes a table.
    """
    steps = [line for line in lines if line["requests"] != "all at once"]
    once = [line for line in lines if line["requests"] == "all at once"]
    done = last_of(steps)
    return "\n\n".join([
        "# Ten requests one after the other",
        "By `benchmarks/sequential.py`: demo world of seed 0, preset tiny with 10 people to "
        "forget, 20 rows each; a request is one person, and each run begins at the model that the "
        "run before left, with the demo's settings of each method. `replay` is `--replay`, weight "
        "1. A request counts as known where any of its answers is given beyond those that are "
        "guessed, or where its answers are likelier than never seen (both by the upper end of a "
        "95% prediction interval over the eight persons of the holdout). `given` is the share of "
        "its 20 answers that are given, `p` their mean probability per token, worst and mean over "
        "all requests so far; `band` is the highest p of a request that never was seen.",
        "## After the last request",
        markdown(LAST, [*after_last(steps, done), *(at_once(line) for line in once),
                        *(retrained(k, found) for k, found in never.items())]),
        "`known again` counts requests so far, with the lowest and the highest of the orders in "
        "brackets.",
        "## Earlier requests that are known, request by request",
        markdown(("method", "replay", *map(str, range(2, 11))), series(steps, "back")),
        "How many of the requests before are known after each request; mean over the orders that "
        "came so far.",
        "## The worst probability of all requests so far",
        markdown(("method", "replay", *map(str, range(1, 11))), series(steps, "worst_p", 1)),
    ]) + "\n"  # fmt: skip


def of(steps, method, replay, requests):
    """Lines of a method after so many requests; the first request is that without replay."""
    kind = "no" if requests == 1 else replay
    wanted = method, kind, requests
    return [x for x in steps if (x["method"], x["replay"], x["requests"]) == wanted]


def last_of(steps):
    """The last request that each method was measured for, of those with more than one."""
    found = {}
    for line in steps:
        key = line["method"], line["replay"]
        found[key] = max(found.get(key, 0), line["requests"])
    return {key: last for key, last in found.items() if last > 1}


def after_last(steps, done):
    for (method, replay), last in sorted(done.items()):
        found = of(steps, method, replay, last)
        known = [x["known"] for x in found]
        cells = [f"{fmean(x[name] for x in found):.2f}" for name in SEEN]
        cells[0] += f" ({min(known)} to {max(known)})"
        close = [x["closeness"] for x in found if "closeness" in x]
        told = f"{fmean(close):.2f}" if close else "-"
        yield [method, replay, str(last), str(len(found)), *cells, told]


def at_once(line):
    cells = [f"{line[name]:.2f}" for name in SEEN]
    return [f"{line['method']}, all at once", "-", "10", "1", *cells, f"{line['closeness']:.2f}"]


def retrained(count, found):
    cells = [f"{found[name]:.2f}" for name in SEEN]
    return [f"retrained without the first {count}", "-", str(count), "1", *cells, "-"]


def series(steps, name, first=2):
    for method, replay in sorted(last_of(steps)):
        values = [[x[name] for x in of(steps, method, replay, k)] for k in range(first, 11)]
        yield [method, replay, *(f"{fmean(v):.2f}" if v else "" for v in values)]
