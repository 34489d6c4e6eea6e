"""List every setting of a request with its type, default and meaning, from the request class."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from textwrap import wrap
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from unteach.files.yaml import to_yaml
from unteach.settings.gates import DEFAULT
from unteach.settings.request import Request

KINDS = {"string": "text", "boolean": "true or false", "object": "a mapping", "array": "a list"}
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
WIDTH = 96
GATES = (
    "# What must hold after the run; exit code 3 says that something does not. membership and",
    "# holdout need a holdout file, retain a retain file. Take out lines to have fewer gates, all",
    "# of them for none.",
)


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: as `--set` takes it, with a dot between section and field.
        kind: description of the valid values, with their bounds.
        default: the default value; None if there is none, or the method decides.
        required: whether a request must have it.
        meaning: what it does.
    """

    name: str
    kind: str
    default: Any
    required: bool
    meaning: str


def settings() -> list[Setting]:
    """List every setting of a request, in the order of a request file.

    Example:
        >>> {s.name: s.kind for s in settings()}["train.epochs"]
        'number > 0'
    """
    return list(_settings_of(Request, ""))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a request file, with descriptions, for editors."""
    made = Request.model_json_schema()
    meant = {setting.name: setting.meaning for setting in settings()}
    classes = made["$defs"].items()
    parts = {"": made, **{name.removesuffix("Settings").lower(): part for name, part in classes}}
    for section, part in parts.items():
        for name, field in part["properties"].items():
            if meaning := meant.get(f"{section}.{name}".lstrip(".")):
                field["description"] = meaning
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def commented() -> str:
    """Return a request file with every setting; those with a default are commented out.

    Gates are not: a removal that is to be shown to others needs some.
    """
    lines = ["# What to forget, from which model, and where the result goes.", ""]
    section = ""
    for setting in settings():
        first, _, name = setting.name.rpartition(".")
        gate = first == "gates"
        if first != section:
            lines += [
                "",
                *(GATES if gate else []),
                f"{first}:" if gate else f"# {first or 'The rest'}:",
            ]
            section = first
        indent = "  " if gate else "#   " if first else "# "
        description = wrap(f"{setting.meaning} ({setting.kind})", WIDTH)
        lines += [f"{indent}# {line}" if first else f"# {line}" for line in description]
        usual = DEFAULT.get(name, 0) if gate else setting.default
        indent += "# " if gate and name not in DEFAULT else ""  # it comes with earlier requests
        value = to_yaml({name: usual}).splitlines()
        open_ = [f"{name}: {name.upper()}"] if setting.required else []
        lines += open_ or [indent + line for line in value]
    return "\n".join(lines) + "\n"


def _settings_of(section: type[BaseModel], prefix: str) -> Iterator[Setting]:
    meant, described = meanings(section), section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings_of(kind, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        yield Setting(
            name=prefix + name,
            kind=_kind(described[name]),
            default=None if default is PydanticUndefined else default,
            required=field.is_required(),
            meaning=meant[name],
        )


def meanings(section: type[BaseModel]) -> dict[str, str]:
    """Read the description of each field from the docstring of a section.

    Example:
        >>> meanings(Request)["forget"]
        'a file, or a dataset id'
    """
    _, _, text = cleandoc(section.__doc__ or "").partition("Attributes:\n")
    parts = re.split(r"^    (\w+): ", text, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(description.split()).removesuffix(".")
        for name, description in zip(parts[::2], parts[1::2], strict=True)
    }


def _kind(described: dict[str, Any]) -> str:
    """Describe the valid values of a field from its JSON Schema."""
    if some := described.get("anyOf"):
        return " or ".join(_kind(one) for one in some if one.get("type") != "null")
    if "enum" in described:
        return " or ".join(map(str, described["enum"]))
    if "const" in described:
        return str(described["const"])
    kind = str(KINDS.get(described["type"], described["type"]))
    bounds = [
        f"{sign} {_plain(described[key])}" for key, sign in BOUNDS.items() if key in described
    ]
    return " ".join([kind, " and ".join(bounds)]).strip()


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"
