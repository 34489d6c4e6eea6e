"""Complete methods, attacks, suites, settings and values in a shell, without importing torch."""

import os
import re
from collections.abc import Iterable, Iterator, MutableMapping
from textwrap import shorten
from typing import Any

import typer

ASKED = "_UNTEACH_COMPLETE"  # set by the shell's script: which shell asks
NAMED = "_UNTEACH_SETTING"  # the setting whose value is being typed, where bash parts it off
WORDS, CURSOR = "COMP_WORDS", "COMP_CWORD"  # bash's
CHOICE = re.compile(r"[a-z0-9_.+-]+")
LINE = 60
KINDS = {"text", "number", "integer"}  # of values, and no values themselves

Offer = tuple[str, str]  # a value, and what it means
Options = Iterable[tuple[str, list[str], str]]  # name, values with the default first, meaning


def method_names(incomplete: str) -> list[Offer]:
    """Return the names of methods that begin so."""
    from unteach.methods._headers import known

    found = known()
    return [(n, _first(found.get(n).__doc__)) for n in found if n.startswith(incomplete)]


def suite_names(incomplete: str) -> list[Offer]:
    """Return the names of suites that begin so."""
    from unteach.suites import SUITES

    return [(n, _first(SUITES.get(n).help)) for n in SUITES if n.startswith(incomplete)]


def attack_names(incomplete: str) -> list[Offer]:
    """Return the names of attacks that begin so, after those before the last comma."""
    from unteach.attacks import ATTACKS

    before, comma, last = incomplete.rpartition(",")
    return [
        (f"{before}{comma}{name}", _first(ATTACKS.get(name).__doc__))
        for name in ATTACKS
        if name.startswith(last) and name not in before.split(",")
    ]


def settings(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """`a.b=c` of a request: every setting, and the options of the method that is named."""
    return _of(_request_options(ctx.params.get("method") or ""), incomplete)


def suite_settings(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """`a=b` of the suite that is named."""
    from unteach.suites import SUITES

    name = ctx.params.get("suite") or "own"
    options = SUITES.get(name).options.items() if name in SUITES else ()
    return _of(((n, [*o.values] or [o.default], o.help) for n, o in options), incomplete)


def attack_settings(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """`attack.option=value` of the attacks that are named, of all where none is."""
    from dataclasses import fields

    from unteach.attacks import ATTACKS

    given = ",".join(ctx.params.get("attack_") or []).split(",")
    names = [name for name in given if name in ATTACKS] or list(ATTACKS)
    options = (
        (f"{name}.{f.name}", [_plain(f.default)], f.metadata.get("help", ""))
        for name in names
        for f in fields(ATTACKS.get(name))  # type: ignore[arg-type]
    )
    return _of(options, incomplete)


def _request_options(method: str) -> Iterator[tuple[str, list[str], str]]:
    from unteach.methods import options_of
    from unteach.methods._headers import known
    from unteach.settings.listing import settings

    for setting in settings():
        values = [k for k in setting.kind.split(" or ") if CHOICE.fullmatch(k) and k not in KINDS]
        yield setting.name, values or [_plain(setting.default)], setting.meaning
    found = known()
    for option in options_of(found.get(method)) if method in found else ():
        values = option["choices"] or [_plain(option["default"])]
        yield f"method.{option['name']}", values, option["help"]


def _of(options: Options, incomplete: str) -> list[Offer]:
    """Names; and once one name alone is left, its values too."""
    known = {name: (values, meaning) for name, values, meaning in options}
    if name := os.environ.get(NAMED, ""):
        values = known.get(name, ([], ""))[0]
        return [(value, "") for value in values if value.startswith(incomplete)]
    name, equals, _ = incomplete.partition("=")
    matching = [n for n in known if n == name or (not equals and n.startswith(incomplete))]
    offers = [(f"{n}=", _first(known[n][1])) for n in matching if not equals]
    if len(matching) == 1:
        offers += [(f"{matching[0]}={value}", "") for value in known[matching[0]][0] if value]
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def part_off(environ: MutableMapping[str, str]) -> None:
    r"""Make one word of `--set NAME = VALUE`, as bash has it, so that VALUE can be completed.

    Bash takes `=` for the end of a word, and puts what is chosen in the place of the last part.

    Example:
        >>> asked = {"COMP_WORDS": "unteach\nrun\n--set\ntrain.retain\n=\nn", "COMP_CWORD": "5"}
        >>> part_off(asked)
        >>> asked["COMP_WORDS"].split(), asked["COMP_CWORD"], asked["_UNTEACH_SETTING"]
        (['unteach', 'run', '--set', 'n'], '3', 'train.retain')
    """
    words, cursor = environ.get(WORDS, "").split("\n"), environ.get(CURSOR, "")
    if not cursor.isdecimal():
        return
    at = int(cursor)
    typed = [*words[: at + 1], *[""] * (at + 1 - len(words))]
    last = [] if typed[-1] == "=" else [typed.pop()]
    if len(typed) > 3 and typed[-1] == "=" and typed[-3] == "--set":
        environ[NAMED] = typed[-2]
        kept = [*typed[:-2], *(last or [""])]
        environ[WORDS], environ[CURSOR] = "\n".join(kept), str(len(kept) - 1)


def _first(text: str | None) -> str:
    """One line, and no longer than a shell shows beside a name."""
    return shorten((text or "").strip().partition("\n")[0], LINE, placeholder=" ...")


def _plain(value: Any) -> str:
    """Return a default as it is typed; empty if there is none or it has several words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return text if " " not in text else ""
