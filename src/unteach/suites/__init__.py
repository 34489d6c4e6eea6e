"""What is asked of a model: one file, one benchmark; `own` for the user's data."""

from unteach.suites._base import SUITES, Choice, Group, Settings, Suite

__all__ = ["SUITES", "Choice", "Group", "Settings", "Suite"]
