"""What is asked of a model: one file, one benchmark; `own` for the user's data."""

from unteach.suites._base import SUITES, AskSettings, Group, Suite, SuiteOption

__all__ = ["SUITES", "AskSettings", "Group", "Suite", "SuiteOption"]
