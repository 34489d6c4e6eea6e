"""Check groups of examples for duplicates and overlap, and the tokenizer for what it lacks."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

from unteach.data.encoding.markers import marker_notes
from unteach.data.encoding.templates import THOUGHT_KEYS, has_chat_template
from unteach.data.listing import SHOWN
from unteach.errors import Problem
from unteach.types import Example, Turn

# Keeps signs that change the meaning: C++ is not C, and 5% is not 5.
BLANKS_AND_PUNCTUATION = re.compile(r"(?:[^\w+#%°$€£]|_)+")


def check_data(groups: dict[str, list[Example]]) -> list[Problem]:
    """Find duplicates within a group, and forget examples that are also in another group.

    Examples are equal when their texts are, or when they differ only in case, blanks and
    punctuation. Duplicates are notes, and so are forget questions that have another answer in the
    retain set; a forget example in the retain or holdout set is an error.
    """
    problems = []
    for role, examples in groups.items():
        problems += _duplicates(role, examples)
    forget = groups.get("forget", [])
    for role in ("retain", "holdout"):
        problems += _shared(forget, groups.get(role, []), role)
    problems += _answered_otherwise(forget, groups.get("retain", []))
    # Retain examples are trained on, so they cannot serve as holdout.
    problems += _shared(groups.get("retain", []), groups.get("holdout", []), "holdout", "note")
    return problems


def check_again(
    groups: dict[str, list[Example]], earlier: dict[str, list[Example]]
) -> list[Problem]:
    """Find what was removed earlier in the retain set, which would teach it again.

    Args:
        groups: by role.
        earlier: examples of earlier requests by the request's name.
    """
    return [
        problem
        for name, examples in earlier.items()
        for problem in _shared(examples, groups.get("retain", []), "retain", again=name)
    ]


def check_tokenizer(
    tokenizer: Any, groups: dict[str, list[Example]], template: str
) -> list[Problem]:
    """Find what the tokenizer lacks for these examples, such as an eos token."""
    problems = []
    if tokenizer.eos_token_id is None:
        hint = 'set it: tokenizer.eos_token = "<|end|>", then save_pretrained'
        problems.append(Problem("tokenizer", "has no eos token, so no answer can end", hint))
    if not getattr(tokenizer, "is_fast", True):
        hint = "install the fast version, or save one with tokenizers"
        problems.append(Problem("tokenizer", "is a slow one, which gives no offsets", hint))
    chat = any(e.kind == "chat" for examples in groups.values() for e in examples)
    if template == "chat" and not has_chat_template(tokenizer):
        hint = "use data.template=plain, or give the tokenizer a chat template"
        problems.append(
            Problem("data.template", "the tokenizer has no chat template", hint, "request")
        )
    elif chat and template != "none" and not has_chat_template(tokenizer):
        what = "has no chat template, so conversations are written as Question: and Answer: lines"
        problems.append(Problem("tokenizer", what, "", "note"))
    for examples in groups.values():
        problems += marker_notes(tokenizer, examples, template)
    return problems


def normalised(text: str) -> str:
    """Fold the case, and replace each run of blanks and punctuation by one blank.

    Example:
        >>> normalised("  Ada's CODE, no. 1.5") == normalised("ada's code no 1.5!")
        True
        >>> normalised("1.5") == normalised("15"), normalised("C++") == normalised("C")
        (False, False)
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return BLANKS_AND_PUNCTUATION.sub(" ", folded).strip()


def _exact_key(example: Example) -> int:
    turns = tuple((turn.role, turn.text, _extra_content(turn)) for turn in example.turns)
    return hash(turns or example.text)


def _normalised_key(example: Example) -> int:
    texts = [normalised(turn.text) for turn in example.turns] or [normalised(example.text)]
    # Texts of punctuation alone all normalise to "", so they are compared exactly.
    extra = tuple(map(_extra_content, example.turns))
    return hash((tuple(texts), extra)) if any(texts) else _exact_key(example)


def _extra_content(turn: Turn) -> str:
    """Tool calls of a turn, without their ids; for a turn without text also its thoughts."""
    calls = turn.template_keys.get("tool_calls", ())
    content = [call.get("function", call) for call in calls]
    if not turn.text.strip():
        content += [turn.template_keys[name] for name in THOUGHT_KEYS if name in turn.template_keys]
    return json.dumps(content, sort_keys=True)


def _duplicates(role: str, examples: list[Example]) -> list[Problem]:
    first: dict[int, Example] = {}
    found = []
    for example in examples:
        earlier = first.setdefault(_normalised_key(example), example)
        if earlier is not example:
            same = _exact_key(example) == _exact_key(earlier)
            what = f"stands there {'twice' if same else 'twice but for case and punctuation'}"
            found.append((example, f"{what}, first at {earlier.where}"))
    return _listed(found, f"{role}: take one of them out, or it weighs double", "note")


def _shared(
    forget: list[Example],
    others: list[Example],
    role: str,
    kind: Any = "data",
    again: str = "",
) -> list[Problem]:
    found, seen = [], set()
    for key, how in ((_exact_key, ""), (_normalised_key, ", but for case and punctuation")):
        places = _places(others, key)
        for example in forget:
            if example.id not in seen and key(example) in places:
                seen.add(example.id)
                found.append((example, f"also stands in {role}, {places[key(example)]}{how}"))
    hints = {
        "retain": "it cannot be forgotten and retained: take it out of one of them",
        "holdout": "the model knows it, so it is no holdout: take it out of there",
    }
    taught = f"earlier request {again} removed it, and this run would teach it: take it out there"
    return _listed(found, taught if again else hints[role], kind)


def _answered_otherwise(forget: list[Example], retain: list[Example]) -> list[Problem]:
    """Find forget questions to which the retain set has another answer.

    A prompt that stands before several forget answers, such as "Continue:", is no such question.
    """
    answers = {_normalised_key(example) for example in retain}
    questions = _places([e for e in retain if len(e.turns) > 1], _question_key)
    asked = Counter(_question_key(e) for e in forget if len(e.turns) > 1)
    found = []
    for example in forget:
        key = _question_key(example)
        if asked[key] == 1 and key in questions and _normalised_key(example) not in answers:
            found.append((example, f"its question has another answer in retain, {questions[key]}"))
    hint = "right if that answer is to replace it; else take the question out of retain"
    return _listed(found, hint, "note")


def _question_key(example: Example) -> int:
    """Hash of all turns but the last, without case, blanks and punctuation."""
    asked = [(turn.role, normalised(turn.text), _extra_content(turn)) for turn in example.turns]
    return hash(tuple(asked[:-1]))


def _places(examples: list[Example], key: Callable[[Example], int]) -> dict[int, str]:
    places: dict[int, str] = {}
    for example in examples:
        places.setdefault(key(example), example.where)
    return places


def _listed(found: list[tuple[Example, str]], hint: str, kind: Any) -> list[Problem]:
    kept = [Problem(example.where, what, hint, kind) for example, what in found[:SHOWN]]
    if len(found) > SHOWN:
        where, more = found[SHOWN][0].where, len(found) - SHOWN
        what = f"{more} more like this from here on"
        kept.append(Problem(where, what, hint, kind))
    return kept
