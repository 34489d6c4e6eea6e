"""Command classes that explain a setting given as a flag (`--epochs 3`) and an empty value."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from unteach.cli._json import show_usage_error
from unteach.errors import Problem, UserError


class Command(TyperCommand):
    """A command that names the --set for a setting that was given as a flag. Final."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; raises UserError for settings given as flags, and for empty values."""
        if ctx.resilient_parsing:  # for the shell's completion: nothing is wrong yet
            return super().parse_args(ctx, args)
        if empty := list(_empty(args, self.params)):
            raise UserError(*empty)
        known = {flag for parameter in self.params for flag in parameter.opts}
        known |= {*ctx.help_option_names}
        if {"--set", "--method"} <= known:
            flags = dict.fromkeys(arg.split("=")[0] for arg in args if arg.startswith("--"))
            if wrong := list(_settings(flag for flag in flags if flag not in known)):
                raise UserError(*wrong)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; boolean flags show no value in --help."""
        return _bare(super().get_params(ctx))


class CommandGroup(TyperGroup):
    """A group of commands whose boolean flags show no value in --help. Final."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, as `Command` does."""
        return _bare(super().get_params(ctx))

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the options before the command; their errors are told in JSON too."""
        try:
            return super().make_context(*args, **options)
        except Exception as error:
            if options.get("parent") is None:
                show_usage_error(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error of its options is told in JSON too, where that is asked for."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.parent is None:
                show_usage_error(error)
            raise


def _settings(unknown: Iterable[str]) -> Iterator[Problem]:
    """Unknown flags that are the names of settings."""
    for flag in unknown:
        from unteach.settings.request import setting_of

        if name := setting_of(flag):
            hint = f"write --set {name}=..."
            yield Problem(flag, "is a setting, not a flag", hint, "request")


def _empty(args: Sequence[str], parameters: list[Any]) -> Iterator[Problem]:
    """Yield a problem for each empty value, which as a path would mean the current folder."""
    taking = {flag for p in parameters if not getattr(p, "is_flag", False) for flag in p.opts}
    for before, arg in zip(["", *args], args, strict=False):
        flag, sign, value = arg.partition("=") if arg.startswith("--") else (before, " ", arg)
        if sign and not value.strip():
            where = flag if flag in taking and flag.startswith("-") else "an argument"
            hint = "give a value, or leave it out; perhaps a shell variable is not set"
            yield Problem(where, "is empty", hint, "request")


def _bare(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters
