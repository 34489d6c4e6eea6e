"""Escape untrusted text (names, paths, messages) for terminals, Markdown and JSON."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

ACTIVE = re.compile(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""Characters with a meaning in Markdown, in HTML within it, or in GitHub's extensions."""

SPANS = re.compile(r"((?<!`)`[\w ./=+,-]+`(?!`))")


def visible(text: object) -> str:
    r"""Escape the characters that are not printable, for a terminal, a log or a picture.

    These are control characters, line ends, marks that change the direction of writing, and
    characters without width. Backslashes stay, since paths contain them.

    Example:
        >>> print(visible("a\x1b[31mb\u202ec\nd"))
        a\x1b[31mb\u202ec\nd
    """
    text = str(text)
    return text if text.isprintable() else "".join(map(_printable, text))


def markdown(text: object) -> str:
    r"""Escape a text for Markdown, inside and outside of code spans and tables.

    Example:
        >>> print(markdown("npo beta=0.2"), markdown("a|<b>[x](y)"))
        npo beta=0.2 a\|\x3cb\x3e\x5bx\x5d(y)
    """
    return visible(ACTIVE.sub(_escaped_markdown, str(text)))


def prose(text: object) -> str:
    r"""Escape a sentence as `markdown` does, but keep its code spans.

    Example:
        >>> print(prose("see `texts.jsonl`, not `<b>`"))
        see `texts.jsonl`, not \x60\x3cb\x3e\x60
    """
    parts = SPANS.split(str(text))
    return "".join(part if k % 2 else markdown(part) for k, part in enumerate(parts))


def in_json(text: str) -> str:
    r"""Return equivalent JSON in which characters that are not printable are escaped.

    Example:
        >>> print(in_json('["\u202e"]'))
        ["\u202e"]
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def json_text(value: Any) -> str:
    r"""Return a value as JSON: nan and infinity are null, and other types are written as text.

    Example:
        >>> json_text({"loss": float("nan"), "words": ("\u202e",)}).split()
        ['{', '"loss":', 'null,', '"words":', '[', '"\\u202e"', ']', '}']
    """
    text = json.dumps(
        finite(value), indent=2, ensure_ascii=False, allow_nan=False, default=str
    )  # fmt: skip
    return in_json(text) + "\n"


def finite(value: Any) -> Any:
    """Return a value with null in place of nan and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fenced(text: str, language: str = "") -> str:
    """Return a Markdown code block whose fence is longer than any in the text.

    Example:
        >>> fenced("a```b", "yaml").splitlines()[0]
        '````yaml'
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _escaped_markdown(found: re.Match[str]) -> str:
    r"""Escape one character; in a table only `\|` escapes a pipe, even within a code span."""
    return r"\|" if found[0] == "|" else f"\\x{ord(found[0]):02x}"


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
