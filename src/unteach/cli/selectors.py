"""`unteach selectors`: list the selectors, which select tokens of the forget answers."""

from typing import Annotated, Any

from unteach.cli._options import argument, option


def selectors(
    name: Annotated[str | None, argument("Show this selector alone, in full.", "[NAME]")] = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
) -> None:
    """List the selectors, which select the tokens of the forget answers that a method acts on.

    The methods dto and palu take one as `method.selector`, undial as `method.focus`. `unteach
    explain` shows what a selector selects in your data.

    Examples:
      $ unteach selectors
      $ unteach selectors delta
      $ unteach explain --model DIR --forget FILE --method dto --set method.selector=subject
    """
    from unteach.cli._listed import class_entry, listed
    from unteach.selectors import SELECTORS
    from unteach.settings.listing import meanings

    def described(cls: Any) -> Any:
        return class_entry(cls, "method.selector_options.{}", meanings(cls))

    listed("selectors", [SELECTORS], described, name, json=json)
