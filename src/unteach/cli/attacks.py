"""`unteach attacks`: list the attacks that `unteach attack` and `unteach run --attack` can make."""

from dataclasses import fields
from typing import Annotated, Any

from unteach.cli._options import argument, option


def attacks(
    name: Annotated[str | None, argument("Show this attack alone, in full.", "[NAME]")] = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
) -> None:
    """List the attacks with their options, or print one page with its paper.

    Examples:
      $ unteach attacks
      $ unteach attacks relearn
      $ unteach attack --attack relearn --set relearn.steps=4,16 ...
    """
    from unteach.attacks import ATTACKS
    from unteach.cli._listed import class_entry, listed

    def described(cls: Any) -> Any:
        helps = {field.name: field.metadata.get("help", "") for field in fields(cls)}
        entry = class_entry(cls, cls.name + ".{}", helps)
        title = entry.title if cls.standard else f"{entry.title} (only when named)"
        return entry._replace(title=title, data={**entry.data, "standard": cls.standard})

    listed("attacks", [ATTACKS], described, name, json=json)
