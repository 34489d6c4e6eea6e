"""Read and write YAML with plain values only; errors have a line number."""

import math
import re
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from unteach.errors import Problem, UserError

LONGEST = 100_000
"""Maximum characters of a text: YAML's number patterns are slow for long texts."""

DEEPEST = 20
LARGEST = 2**63
QUOTED = re.compile(r"'(?!<)[^']{2,}'?|\"[^\"]{2,}\"?")  # quotes of the text in a parser's error
NO_TEXT = re.compile("[\0\ud800-\udfff]")
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}
TEXT = "tag:yaml.org,2002:str"
NESTED = {"tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}
UNUSED = {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "merge", "value")}


def read_yaml(text: str, where: str) -> Any:
    """Parse a YAML text.

    These are errors too: aliases, with which a short text can expand without limit; tags, such as
    those that create Python objects; duplicate keys; numbers that are not finite; and lists or
    mappings nested more than 20 deep.

    Args:
        text: the YAML text.
        where: its name in messages.

    Raises:
        UserError: the text is not valid; the message has the line.

    Example:
        >>> read_yaml("{rate: 1e-5, day: 2026-01-01}", "example")
        {'rate': 1e-05, 'day': '2026-01-01'}
    """
    if len(text) > LONGEST:
        what = f"has {len(text):,} characters, more than the {LONGEST:,} that are read"
        raise UserError(Problem(where, what, "a request is a page or so", "request"))
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = QUOTED.sub("...", str(getattr(error, "problem", None) or "unreadable"))
        what = f"is not YAML ({problem})"
        raise UserError(Problem(where + line, what, "mend the line", "request")) from None


def to_yaml(values: Any, **options: Any) -> str:
    r"""Dump values as YAML that `read_yaml` reads back; unprintable characters are escaped.

    Example:
        >>> print(to_yaml({"é": "\u202e"}), end="")
        "\xE9": "\u202E"
    """
    options = {"Dumper": _Dumper, "sort_keys": False, **options}
    text = yaml.dump(values, allow_unicode=True, **options)
    return text if text.replace("\n", "").isprintable() else yaml.dump(values, **options)


class _Dumper(yaml.SafeDumper):
    """Dumper for plain values with the number rules of `_Loader`."""


class _Loader(yaml.SafeLoader):
    """Loader for plain values, which reads 1e-5 as a number."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if self.check_event(yaml.AliasEvent):
            raise ComposerError(None, None, "an alias, which is not read here", event.start_mark)
        self.depth += 1
        if self.depth > DEEPEST:
            what = f"more than {DEEPEST} lists or mappings within each other"
            raise ComposerError(None, None, what, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if node.tag not in PLAIN | NESTED:
            raise ConstructorError(None, None, "a tag, which is not read here", node.start_mark)
        try:
            made = super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            # Raised by the constructors for `!!int x` and the like.
            raise ConstructorError(None, None, "no such value", node.start_mark) from None
        if what := _value_error(made):
            raise ConstructorError(None, None, what, node.start_mark)
        return made

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in getattr(node, "value", ()):
            if key.tag != TEXT:
                raise ConstructorError(None, None, "a name that is no text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, "a name that is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _value_error(value: Any) -> str:
    if isinstance(value, str) and NO_TEXT.search(value):
        return "a character that is no text"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    return "a number too long" if isinstance(value, int) and abs(value) > LARGEST else ""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag not in UNUSED]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _reader in (_Loader, _Dumper):  # so that a text like "1e-5" is written in quotes
    _reader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )
