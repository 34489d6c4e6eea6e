"""Benchmark suites, one per file; the suite `own` is the user's own data."""

from unteach.suites._base import SUITES, AskSettings, Group, Suite, SuiteOption

__all__ = ["SUITES", "AskSettings", "Group", "Suite", "SuiteOption"]
