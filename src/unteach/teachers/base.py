"""Use the model before fine-tuning as the teacher; it never saw the forget data."""

from unteach.teachers._base import (
    Teacher,
    TeacherInputs,
    TeacherSource,
    Unavailable,
    teacher_source,
)
from unteach.teachers.holdout import level_auc


@teacher_source("base")
class BaseTeacher(TeacherSource):
    """The distribution of the model before fine-tuning at the same answer tokens."""

    order = 1

    def find(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher. Raises Unavailable if no base model is given."""
        if inputs.base_logps is None:
            raise Unavailable("no base model is given (--base)")
        targets = inputs.base_logps(inputs.forget)
        facts = {}
        if inputs.holdout:
            facts["teacher_auc"] = round(level_auc(targets, inputs.base_logps(inputs.holdout)), 4)
        return Teacher(
            source=self.name,
            sequences=inputs.forget,
            pairs=[()] * len(targets),
            targets=targets,
            set_level=[False] * len(targets),
            facts=facts,
        )
