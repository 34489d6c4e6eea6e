"""Gates: what must hold after a run, declared and hashed before it."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1  # of what the gates measure; part of the hash


class Gates(BaseModel):
    """What must hold after a run; each that is set is a gate, and exit code 3 says that one failed.

    `gates: default` declares all of them, at the values that `unteach init` writes.

    Attributes:
        membership: how far the membership AUC, forget against holdout answers, may be from the
            retrained model's, or from 0.5 without one; 0.1, say. Where the data has paraphrases,
            theirs too.
        given: how many forget answers may still be given beyond those that can be guessed.
        retain: share of its probability that each group that should stay keeps at least; 0.95, say.
        holdout: share of their probability that the holdout answers keep at least, of which
            training saw none; 0.8, say.
        fluency: share of its fluency that each group's greedy answers keep at least; 0.8, say.
        earlier: how many earlier requests may be known again after the run that were not before;
            where gates are declared and there are earlier requests, 0 when left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    membership: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    given: Annotated[int, Field(ge=0)] | None = None
    retain: Annotated[float, Field(gt=0, le=1)] | None = None
    holdout: Annotated[float, Field(gt=0, le=1)] | None = None
    fluency: Annotated[float, Field(gt=0, le=1)] | None = None
    earlier: Annotated[int, Field(ge=0)] | None = None

    @property
    def declared(self) -> dict[str, float]:
        """Those that are set, by name.

        Example:
            >>> Gates(given=0).declared
            {'given': 0}
        """
        return {name: value for name, value in self.model_dump().items() if value is not None}

    @property
    def sha256(self) -> str:
        """Hash of all that is declared, by which it can be told that nothing was moved later.

        Example:
            >>> Gates(given=0).sha256 == Gates(given=0).sha256 != Gates(given=1).sha256
            True
        """
        told = json.dumps({"version": VERSION, **self.declared}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


DEFAULT: dict[str, Any] = {
    "membership": 0.1,
    "given": 0,
    "retain": 0.95,
    "holdout": 0.8,
    "fluency": 0.8,
}


def spelled(values: Any) -> Any:
    """A request's values, with words for gates (`default,given=2`) as the section they stand for.

    Example:
        >>> spelled({"gates": "default,given=2,retain=none"})["gates"]
        {'membership': 0.1, 'given': '2', 'retain': None, 'holdout': 0.8, 'fluency': 0.8}
    """
    if not isinstance(values, dict) or "gates" not in values:
        return values
    given, found = values["gates"], {}
    if given is not None and not isinstance(given, str):
        return values
    for word in (given or "none").split(","):
        name, equals, value = word.strip().partition("=")
        if not equals and name not in ("default", "none"):
            return values
        said = {name: None if value == "none" else value}
        found |= said if equals else DEFAULT if name == "default" else {}
    return {**values, "gates": found}
