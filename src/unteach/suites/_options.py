"""Check the options given for a suite and fill in defaults."""

from collections.abc import Mapping

from unteach.errors import Problem, require
from unteach.registry import did_you_mean
from unteach.settings.messages import NOT_SHOWN, WORD, named
from unteach.suites._base import SuiteOption


def chosen(
    suite: str, options: Mapping[str, SuiteOption], given: Mapping[str, str]
) -> dict[str, str]:
    """Every option with its given or default value.

    Raises:
        UserError: unknown options, and values that are not allowed.

    Example:
        >>> chosen("tofu", {"split": SuiteOption(help="which", default="forget10")}, {})
        {'split': 'forget10'}
    """
    problems = []
    for name, value in given.items():
        where = f"suite {suite}, option {name if WORD.fullmatch(name) else NOT_SHOWN}"
        if name not in options:
            known = list(options)
            hint = f"{did_you_mean(name, known).strip()} Known: {', '.join(known)}".strip()
            problems.append(Problem(where, "there is none of this name", hint, "request"))
        elif options[name].values and value not in options[name].values:
            known = list(options[name].values)
            hint = f"{did_you_mean(value, known).strip()} Known: {', '.join(known)}".strip()
            problems.append(
                Problem(where, f"{named(value, known)} is no value of it", hint, "request")
            )
    require(*problems)
    return {name: given.get(name, option.default) for name, option in options.items()}
