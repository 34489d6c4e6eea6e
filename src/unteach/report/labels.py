"""Name runs in a comparison: short labels with the settings in which they differ."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from unicodedata import east_asian_width

from unteach.escaping import visible
from unteach.report.record import Report

SECTIONS = ("method", "adapter", "train", "data", "evaluate")
ALIKE = (  # seeds, paths, and settings that change only memory or time
    "seed", "also", "refusals", "checkpoint_minutes", "checkpoint_steps", "report_to",
    "gradient_checkpointing", "cache", "tokens_per_batch", "fisher_device",
)  # fmt: skip
INPUTS = ("model", "forget", "retain", "base")
ASKED = ("model", "forget", "retain")  # what the numbers of original and retrained are of
SETTING = re.compile(rf"(?<= )({'|'.join(SECTIONS)})\.(\w+)=")
ENDS = (" ", "=/", "-_.,")  # characters after which a name may be broken, in order of preference


def settings(report: Report) -> dict[str, str]:
    """Settings of a run by name, without seed, paths and settings that change no number.

    Example:
        >>> request = {"out": "b", "train": {"seed": 1, "epochs": 3.0}, "adapter": {"kind": "lora"}}
        >>> settings(Report(models={}, request=request))
        {'train.epochs': '3', 'adapter.kind': 'lora'}
    """
    return {
        f"{section}.{name}": f"{value:g}" if isinstance(value, float) else str(value)
        for section, given in report.request.items()
        if section in SECTIONS and isinstance(given, Mapping)
        for name, value in given.items()
        if name not in ALIKE
    }


def inputs(report: Report) -> dict[str, str]:
    """Model and data of a run: the last part of each path, since folders may be moved.

    Example:
        >>> inputs(Report(models={}, request={"model": "runs/a/llama", "forget": "f.jsonl"}))
        {'model': 'llama', 'forget': 'f.jsonl'}
    """
    given = {name: report.request.get(name) for name in INPUTS}
    return {name: last(path) for name, path in given.items() if isinstance(path, str)}


def last(path: str) -> str:
    """The last part of a path; the path itself if there is none.

    Example:
        >>> last("runs/npo/"), last("/")
        ('npo', '/')
    """
    return PurePath(path).name or path


def name_of(report: Report, model: str, first: Report) -> str:
    """Display name of a model: the method for a run; its label or folder for an evaluation.

    Settings and inputs that differ from the first run of that label are appended. If another model
    was unlearned, or other files, their names are appended to "original" and "retrained" too.

    Args:
        report: the report with the model.
        model: its label there.
        first: the first report of the same label; for original and retrained, the first with one.
    """
    if model == "unlearned" and report.label:
        before = settings(first) | inputs(first)
        given = (settings(report) | inputs(report)).items()
        return " ".join([report.label, *(f"{k}={v}" for k, v in given if before.get(k) != v)])
    if model in ("original", "retrained"):
        ours, theirs = inputs(report), inputs(first)
        asked = [k for k in ASKED if k in ours and k in theirs and ours[k] != theirs[k]]
        return "-".join([model, *(ours[k] for k in asked)])
    paths = report.request.get("models")
    path = paths.get(model, "") if model == "model" and isinstance(paths, dict) else ""
    return PurePath(path).name or model


def lines_of(name: str, width: int, most: int = 3) -> list[str]:
    """Break a name into lines of at most `width` columns; a name too long is cut in the middle.

    Wide characters, such as Chinese ones, take two columns.

    Example:
        >>> lines_of("npo train.learning_rate=0.0001 train.epochs=5", 30)
        ['npo', 'train.learning_rate=0.0001', 'train.epochs=5']
        >>> lines_of("a" * 50, 10, most=2)
        ['aaaaaaaaaa', 'aaa…aaaaaa']
    """
    text = visible(name)
    lines = _broken(text, width)
    if len(lines) <= most:
        return lines
    keep = len(text) - 1
    while len(lines) > most and keep > 1:  # the end of a name distinguishes runs too, so it is kept
        keep -= 1
        lines = _broken(f"{text[: keep - keep // 3]}…{text[len(text) - keep // 3 :]}", width)
    return lines


def _broken(text: str, width: int) -> list[str]:
    lines: list[str] = []
    while text:
        fits = _fitting(text, width)
        if fits < len(text):
            fits = next((k for ends in ENDS if (k := _end(text[:fits], ends))), fits)
        lines.append(text[:fits].rstrip())
        text = text[fits:].lstrip()
    return lines or [""]


def _end(text: str, ends: str) -> int:
    """Index after the last of these characters; 0 if none, or if the line would be nearly empty."""
    found = max((k + 1 for k, character in enumerate(text) if character in ends), default=0)
    return found if found > len(text) // 3 or " " in ends else 0


def _fitting(text: str, width: int) -> int:
    """Number of characters that fit into `width` columns, at least one."""
    taken = 0
    for k, character in enumerate(text):
        taken += 2 if east_asian_width(character) in "WF" else 1
        if taken > width:
            return max(k, 1)
    return len(text)


def apart(names: list[str], width: int, most: int = 3) -> list[list[str]]:
    """Break names into lines; names that look equal after cutting get a number.

    The section of a setting is left out if no other section has a setting of that name here.

    Example:
        >>> apart(["b" * 40 + "1" + "b" * 40, "b" * 40 + "2" + "b" * 40, "c"], 8, most=2)
        [['bbbbbbbb', 'bb… (1)'], ['bbbbbbbb', 'bb… (2)'], ['c']]
    """
    found = [lines_of(name, width, most) for name in _short(names)]
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, lines in enumerate(found):
        alike.setdefault(tuple(lines), []).append(place)
    same = [place for places in alike.values() if len(places) > 1 for place in places]
    for k, place in enumerate(same, 1):
        *before, end = found[place]
        found[place] = [*before, _with(end, f" ({k})", width)]
    return found


def _short(names: list[str]) -> list[str]:
    places: dict[str, set[str]] = {}
    for section, leaf in SETTING.findall(" ".join(names)):
        places.setdefault(leaf, set()).add(section)
    return [SETTING.sub(lambda m: f"{m[2]}=" if len(places[m[2]]) == 1 else m[0], n) for n in names]


def _with(text: str, mark: str, width: int) -> str:
    """Append a mark to a line, and cut the line if there is no room for both."""
    room = max(width - len(mark), 2)
    return text + mark if _fitting(text, room) == len(text) else _cut(text, room - 1) + mark


def _cut(text: str, width: int) -> str:
    return text[: _fitting(text, width)].rstrip("…") + "…"
