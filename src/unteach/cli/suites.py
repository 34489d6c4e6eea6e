"""`unteach suites`: list the benchmark suites that `unteach evaluate` can run."""

from typing import Annotated, Any

from unteach.cli._complete import suite_names
from unteach.cli._options import argument, option


def suites(
    name: Annotated[
        str | None,
        argument("Show this suite alone, in full.", "[NAME]", autocompletion=suite_names),
    ] = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
) -> None:
    """List the suites that `unteach evaluate` can run, with their options.

    Examples:
      $ unteach suites
      $ unteach suites tofu
      $ unteach evaluate --suite tofu --set split=forget01 --model DIR_OR_ID
    """
    from unteach.cli._listed import Entry, listed
    from unteach.suites import SUITES

    def described(suite: Any) -> Entry:
        options = [
            f"--set {option}={choice.default or '...'}"
            + (f" [{', '.join(choice.values)}]" if choice.values else "")
            + f": {choice.help}"
            for option, choice in suite.options.items()
        ]
        page = [f"Paper: {p.title}. {p.authors}, {p.year}. {p.url}" for p in suite.papers]
        title = f"{suite.name} (version {suite.version}): {suite.help}"
        return Entry(title, options, page, _data(suite))

    listed("suites", [SUITES], described, name, json=json)


def _data(suite: Any) -> dict[str, Any]:
    return {
        "name": suite.name,
        "version": suite.version,
        "help": suite.help,
        "options": {
            name: {"help": choice.help, "default": choice.default, "values": list(choice.values)}
            for name, choice in suite.options.items()
        },
        "papers": [paper.url for paper in suite.papers],
    }
