"""Teachers: sources of the distribution of a model that never saw the forget answers."""

from unteach.teachers._base import (
    TEACHERS,
    Teacher,
    TeacherInputs,
    TeacherSource,
    Unavailable,
    find_teacher,
    teacher_source,
)

__all__ = [
    "TEACHERS",
    "Teacher",
    "TeacherInputs",
    "TeacherSource",
    "Unavailable",
    "find_teacher",
    "teacher_source",
]
