"""List the known names of columns and of roles: which make an example, which are ignored."""

import re
from functools import lru_cache
from typing import Any

Form = tuple[str, ...]
"""Columns that make an example: question and answer column of a pair, otherwise one column."""

TALKS = ("messages", "conversations", "conversation", "contents")
PROMPTS = ("prompt", "question", "query", "instruction", "input")
ANSWERS = ("completion", "answer", "response", "output", "answers")
PAIRS = (("prompt", "completion"), ("question", "answer"))
CHOICES = ("choices", "options")
KEYS = ("answerKey", "answer_key", "answer_idx", "answer_index")
VERBATIM = ("prompt", "gt")  # MUSE's verbatim-memorisation files: `gt` continues the prompt
LABELLED = ("text", "labels")
OWN: tuple[Form, ...] = (*PAIRS, ("messages",), ("text",), VERBATIM)
"""Forms that the README names; files with others get a note on how they were read."""

SYSTEMS = ("system", "system_prompt", "system_message", "systemInstruction", "system_instruction")
THOUGHTS = ("reasoning_content", "thinking")
EXTRAS = ("paraphrased_answer", "perturbed_answer", "fact", "alternate", "spans", "subject")
TRAINED = ("train", "training", "trainable", "weight", "loss_weight")
"""Columns that tell whether a record is trained on."""

WANTED = ("label", "kto_tag", "desirable")
"""Columns of preference data that tell whether an answer is a good one: true or false."""

SINGLE = ("role", "from", "author")
"""Columns with the role of a text, where each record is one message of a conversation."""

ROLE, CONTENT = ("role", "from"), ("content", "value", "parts")
CALLED = ("tool_calls", "function_call")
"""Keys of a message with its role, its content and the calls of tools in it."""

CALLS = ("function_call", "tool_call")
"""Roles in the ShareGPT format for tool calls of the assistant."""

ROLES = {
    name: role
    for role, names in {
        "user": "user human prompter customer",
        "assistant": "assistant gpt model bot chatbot chatgpt bard bing claude ai",
        "system": "system",
        "developer": "developer",
        "tool": "tool function observation tool_response function_response",
        "ipython": "ipython",
    }.items()
    for name in names.split()
}
"""Role of chat templates by the names that files have for it."""

SYSTEM_ROLES = ("system", "developer")
ROLE_WORDS = frozenset((*ROLES, *CALLS, "agent", "narrator"))
"""Common names of roles; another role may be a person's name."""

BESIDE = ("context", "history", "tools", "functions", *SYSTEMS, *THOUGHTS, *EXTRAS)
MAKING = (*TALKS, *PROMPTS, *ANSWERS, *CHOICES, *KEYS, "gt", *LABELLED)
KNOWN = sorted({*MAKING, *BESIDE})
SPELLED = {name.casefold(): name for name in (*KNOWN, *TRAINED, *WANTED, *SINGLE)}
ACCEPTED = "prompt and completion, question and answer, messages, or text"

HARMLESS = re.compile(
    r"(.+[_-])?(id|ids|idx|index|uid|uuid|guid|hash|sha256|date|day|time|datetime"
    r"|timestamp|year|created|updated|source|sources|src|origin|dataset|split|fold|level"
    r"|difficulty|category|categories|type|kind|domain|topic|topics|subject|subjects|task"
    r"|language|lang|locale|url|urls|link|license|licence|version|tag|tags|meta|metadata)"
    r"|row|number|nr|(created|updated|generated)_at|__index_level_\d+__|unnamed: \d+|answer_start"
    r"|paraphrased_question",  # a column of TOFU that none of its metrics uses
    re.IGNORECASE,
)
LONGEST = 40  # characters of a name


@lru_cache(maxsize=10_000)
def form_of_names(names: frozenset[str]) -> Form | None:
    """Return the form of these column names; None where there is none, or several are possible."""
    if talk := next((name for name in TALKS if name in names), None):
        return (talk,)
    prompts, answers = prompts_in(names), answers_in(names)
    whole = [pair for pair in PAIRS if {*pair} <= names]
    if len(whole) == 1:
        return whole[0]
    if len(prompts) == len(answers) == 1:
        return prompts[0], answers[0]
    if {*VERBATIM} <= names and not answers:
        return VERBATIM
    if "text" in names and not answers:
        return LABELLED if "labels" in names else ("text",)
    return None


def prompts_in(names: frozenset[str]) -> list[str]:
    """Return the question columns; `input` is none beside `instruction`, as in alpaca."""
    found = [name for name in PROMPTS if name in names]
    return [n for n in found if n != "input" or "instruction" not in found]


def answers_in(names: frozenset[str]) -> list[str]:
    """Return the answer columns, or the column that names the right choice."""
    found = [name for name in ANSWERS if name in names]
    if not found and names & {*CHOICES}:
        found = [name for name in KEYS if name in names][:1]
    if not found and "labels" in names and "text" not in names:
        found = ["labels"]
    return found


@lru_cache(maxsize=10_000)
def is_harmless(name: str) -> bool:
    """Whether a column's name shows that it is no part of an example, such as an id or a date.

    Example:
        >>> is_harmless("prompt_id"), is_harmless("created_at"), is_harmless("answers")
        (True, True, False)
    """
    name = name.strip()  # pandas writes its index with an empty column name
    return not name or (len(name) <= LONGEST and bool(HARMLESS.fullmatch(name)))


def role_of(role: Any) -> Any:
    """Convert a role to the name that chat templates use; an unknown role stays as it is.

    Example:
        >>> role_of("GPT "), role_of("Function_Call"), role_of("Ada")
        ('assistant', 'function_call', 'Ada')
    """
    if not isinstance(role, str):
        return role
    small = role.strip().casefold()
    return small if small in CALLS else ROLES.get(small, role)
