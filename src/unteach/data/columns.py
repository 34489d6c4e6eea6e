"""The names of columns: which make an example, which add to one, and which say nothing of it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from unteach.data.values import decoded, is_blank, is_list, is_null, is_whole

Form = tuple[str, ...]
"""The columns that make an example: of a pair what is asked and what is answered, else one."""

TALKS = ("messages", "conversations", "conversation", "contents")
PROMPTS = ("prompt", "question", "query", "instruction", "input")
ANSWERS = ("completion", "answer", "response", "output", "answers")
PAIRS = (("prompt", "completion"), ("question", "answer"))
CHOICES = ("choices", "options")
KEYS = ("answerKey", "answer_key", "answer_idx", "answer_index")
VERBATIM = ("prompt", "gt")  # MUSE's verbatim-memorisation files: the text goes on
LABELLED = ("text", "labels")
OWN: tuple[Form, ...] = (*PAIRS, ("messages",), ("text",), VERBATIM)
"""Forms that need no explanation: the README names them."""

SYSTEMS = ("system", "system_prompt", "system_message", "systemInstruction", "system_instruction")
THOUGHTS = ("reasoning_content", "thinking")
EXTRAS = ("paraphrased_answer", "perturbed_answer", "fact", "alternate", "spans")
BESIDE = ("context", "history", "tools", "functions", *SYSTEMS, *THOUGHTS, *EXTRAS)
MAKING = (*TALKS, *PROMPTS, *ANSWERS, *CHOICES, *KEYS, "gt", *LABELLED)
KNOWN = sorted({*MAKING, *BESIDE})
SPELLED = {name.casefold(): name for name in KNOWN}
ACCEPTED = "prompt and completion, question and answer, messages, or text"

HARMLESS = re.compile(
    r"(.+[_-])?(id|ids|idx|index|uid|uuid|guid|hash|sha256|row|number|nr|date|day|time|datetime"
    r"|timestamp|year|created|updated|source|sources|src|origin|dataset|split|fold|level"
    r"|difficulty|category|categories|type|kind|domain|topic|topics|subject|subjects|task"
    r"|language|lang|locale|url|urls|link|license|licence|version|tag|tags|meta|metadata)"
    r"|(created|updated|generated)_at|__index_level_\d+__|unnamed: \d+|answer_start"
    r"|paraphrased_question",  # TOFU's, which none of its metrics reads
    re.IGNORECASE,
)
LONGEST = 40  # characters of a name


class Columns(Mapping[str, Any]):
    """A record under our spelling of its columns, which knows what of it was read.

    Null and blank columns count as missing in `unread`, since they say nothing.

    Example:
        >>> columns = Columns({"Question": "Who?", "answer": "Ada.", "score": 3, "id": 1})
        >>> columns["question"], columns["answer"], columns.unread()
        ('Who?', 'Ada.', ['score'])
    """

    def __init__(self, record: Mapping[str, Any]):
        own = {SPELLED.get(_plain(name), name): name for name in record}
        self._names = {**own, **{name: name for name in record}}
        self._record, self._read = record, set()

    def __getitem__(self, name: str) -> Any:
        """The value of a column, which is read now. Raises KeyError."""
        theirs = self._names[name]
        self._read.add(theirs)
        return self._record[theirs]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column, which does not count as reading it."""
        return name in self._names

    def seen(self, name: str) -> Any:
        """A column's value, which does not count as read; None where there is none."""
        theirs = self._names.get(name)
        return None if theirs is None else self._record[theirs]

    def unread(self, told: tuple[str, ...] = ()) -> list[str]:
        """Columns that say something, were not read, and are not harmless by their names.

        Args:
            told: texts that the example has; a column that repeats one is no news.
        """
        return [
            str(name)
            for name, value in self._record.items()
            if name not in self._read
            and not is_blank(value)
            and not is_harmless(str(name))
            and not (isinstance(value, str) and value in told)
        ]


def form_of(record: Any) -> Form | None:
    """The columns that make an example of the record; those that say nothing as a last resort.

    Example:
        >>> form_of({"question": "Who?", "answer": "Ada.", "id": 3})
        ('question', 'answer')
        >>> form_of({"instruction": "Who?", "input": "", "output": "Ada.", "text": "Who? Ada."})
        ('instruction', 'output')
    """
    if not isinstance(record, Mapping):
        return None
    columns = record if isinstance(record, Columns) else Columns(record)
    value = columns.seen
    filled = frozenset(name for name in MAKING if name in columns and _says(name, value))
    named = frozenset(name for name in MAKING if name in columns and name not in TALKS[1:])
    return form_of_names(filled) or form_of_names(named)


@lru_cache(maxsize=10_000)
def form_of_names(names: frozenset[str]) -> Form | None:
    """The form that columns of these names have; None where it is not plain."""
    if talk := next((name for name in TALKS if name in names), None):
        return (talk,)
    asked, answers = prompts_in(names), answers_in(names)
    whole = [pair for pair in PAIRS if {*pair} <= names]
    if len(whole) == 1:
        return whole[0]
    if len(asked) == len(answers) == 1:
        return asked[0], answers[0]
    if {*VERBATIM} <= names and not answers:
        return VERBATIM
    if "text" in names and not answers:
        return LABELLED if "labels" in names else ("text",)
    return None


def prompts_in(names: frozenset[str]) -> list[str]:
    """Columns that say what is asked; alpaca's `input` belongs to its `instruction`."""
    found = [name for name in PROMPTS if name in names]
    return [n for n in found if n != "input" or "instruction" not in found]


def answers_in(names: frozenset[str]) -> list[str]:
    """Columns that say what is answered, or which choice is right."""
    found = [name for name in ANSWERS if name in names]
    if not found and names & {*CHOICES}:
        found = [name for name in KEYS if name in names][:1]
    if not found and "labels" in names and "text" not in names:
        found = ["labels"]
    return found


def is_record(value: Any) -> bool:
    """Whether the value is itself an example, rather than an object that holds many of them."""
    form = form_of(value)
    if form is None:
        return False
    first = Columns(value).seen(form[0])
    return isinstance(first, str) or (is_list(first) and all(map(_is_turn, first)))


@lru_cache(maxsize=10_000)
def is_harmless(name: str) -> bool:
    """Whether a column's name says that it is no part of an example, such as an id or a date.

    Example:
        >>> is_harmless("prompt_id"), is_harmless("created_at"), is_harmless("answers")
        (True, True, False)
    """
    name = name.strip()  # pandas writes its index under no name at all
    return not name or len(name) <= LONGEST and bool(HARMLESS.fullmatch(name))


def _plain(name: Any) -> Any:
    return name.strip().casefold() if isinstance(name, str) and len(name) <= LONGEST else name


def _says(name: str, value: Any) -> bool:
    """Whether a column says what its name promises; other columns may have that name by chance."""
    given = value(name)
    if is_null(given) or (isinstance(given, str) and not given.strip()):
        return False
    if name in TALKS[1:]:
        return is_list(decoded(given))
    if (
        name == "labels"
    ):  # numbers are classes, and the text again is the target of a language model
        return not is_numeric(given) and given != value("text")
    if name in KEYS:
        return isinstance(given, str) or is_whole(given)
    return True


def is_numeric(value: Any) -> bool:
    """Whether a value is a number, true or false, or a list of these."""
    if is_list(value):
        return all(isinstance(item, (int, float)) for item in value)
    return isinstance(value, (int, float))


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and ("role" in value or "from" in value)
