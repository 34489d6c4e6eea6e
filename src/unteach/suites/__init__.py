"""What is asked of a model: one file, one benchmark; `own` for the user's data."""

from unteach.suites._base import SUITES, SuiteOption, Group, AskSettings, Suite

__all__ = ["SUITES", "SuiteOption", "Group", "AskSettings", "Suite"]
