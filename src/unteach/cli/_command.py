"""A command that knows what a setting is when it is given as a flag: `--epochs 3`."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

from unteach.nouns import Problem, UserError
from unteach.request import setting_of


class Command(TyperCommand):
    """Final. Says which --set is meant, where typer would only say that there is no such flag."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; raises UserError for settings that are given as flags."""
        known = {flag for parameter in self.params for flag in parameter.opts}
        if {"--set", "--method"} <= known:
            flags = dict.fromkeys(arg.split("=")[0] for arg in args if arg.startswith("--"))
            meant = {flag: setting_of(flag) for flag in flags if flag not in known}
            wrong = [
                Problem(flag, "is a setting, not a flag", f"write --set {name}=...", "request")
                for flag, name in meant.items()
                if name
            ]
            if wrong:
                raise UserError(*wrong)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer does, for a help in which a flag that takes no value shows none."""
        return _bare(super().get_params(ctx))


class Group(TyperGroup):
    """Final. The commands together, with flags shown likewise."""

    def get_params(self, ctx: Any) -> list[Any]:
        """See `Command`."""
        return _bare(super().get_params(ctx))


def _bare(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters
