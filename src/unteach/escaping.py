"""What others wrote, so that it does nothing where it is shown: names, paths, messages."""

import json
import re

ACTIVE = re.compile(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What Markdown, HTML in it, or GitHub's own additions may take for more than a letter."""

SPANS = re.compile(r"((?<!`)`[\w ./=+,-]+`(?!`))")


def visible(text: object) -> str:
    r"""For a terminal, a log or a picture: what has no shape of its own is written as an escape.

    Control characters, ends of lines, marks that turn the direction of writing, and characters
    without width. Backslashes stay, for paths have them.

    Example:
        >>> print(visible("a\x1b[31mb\u202ec\nd"))
        a\x1b[31mb\u202ec\nd
    """
    text = str(text)
    return text if text.isprintable() else "".join(map(_seen, text))


def markdown(text: object) -> str:
    r"""For Markdown, in and out of code spans and tables: letters, and escapes for what is active.

    Example:
        >>> print(markdown("npo beta=0.2"), markdown("a|<b>[x](y)"))
        npo beta=0.2 a\|\x3cb\x3e\x5bx\x5d(y)
    """
    return visible(ACTIVE.sub(_inactive, str(text)))


def prose(text: object) -> str:
    r"""As `markdown`, of a sentence of ours that has code spans of its own.

    Example:
        >>> print(prose("see `texts.jsonl`, not `<b>`"))
        see `texts.jsonl`, not \x60\x3cb\x3e\x60
    """
    parts = SPANS.split(str(text))
    return "".join(part if k % 2 else markdown(part) for k, part in enumerate(parts))


def in_json(text: str) -> str:
    r"""JSON that says the same, with escapes in its strings for what has no shape of its own.

    Example:
        >>> print(in_json('["\u202e"]'))
        ["\u202e"]
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def fenced(text: str, language: str = "") -> str:
    """A block of code in Markdown that nothing in the text can end.

    Example:
        >>> fenced("a```b", "yaml").splitlines()[0]
        '````yaml'
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _inactive(found: re.Match[str]) -> str:
    """A table takes this escape alone for a pipe, even within a code span."""
    return r"\|" if found[0] == "|" else f"\\x{ord(found[0]):02x}"


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
