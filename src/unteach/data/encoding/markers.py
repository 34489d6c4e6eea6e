"""Find chat markers inside the texts of examples, where only a template should write them."""

import re
from collections.abc import Callable
from typing import Any

from unteach.data.encoding.templates import has_chat_template
from unteach.errors import Problem
from unteach.types import Example

# Markers that begin a turn in public chat formats.
MARKER = re.compile(
    r"<\|im_start\|>|<\|?start_of_turn\|?>|<\|turn>|<\|start_header_id\|>|\[/INST\]|<\|start\|>"
    r"|<\|(?:user|assistant|system|START_OF_TURN_TOKEN)\|>|<\uff5c(?:User|Assistant)\uff5c>"
    r"|<\|start_of_role\|>|^(?:### ?(?:Instruction|Response|Human|Assistant):|(?:Human|USER): )",
    re.MULTILINE,
)
ASKED = re.compile(r"(?:\S+\s?)?Question: [^\n]*\nAnswer:")  # a bos may come first
BEGIN = re.compile(r"\s*(<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|<\|endoftext\|>)")


def marker_notes(tokenizer: Any, examples: list[Example], template: str) -> list[Problem]:
    """Note raw texts that are conversations, markers within messages, and another model's bos.

    Args:
        tokenizer: of the model.
        examples: of one file.
        template: "auto", "chat", "plain" or "none".
    """
    has_marker = _finder(tokenizer)
    raw = [e for e in examples if e.kind == "text" and not e.turns]
    notes = _note(
        [e for e in raw if has_marker(e.text) or ASKED.match(e.text.strip())],
        "holds the markers of a chat, so all of it is trained on, the questions too",
        "write messages, or question and answer, and only answers are trained on",
    )
    known = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    notes += _note(
        [e for e in examples if (begins := BEGIN.match(_beginning(e))) and begins[1] not in known],
        "begins with the bos of another model, which this tokenizer reads as letters",
        "take it out: a tokenizer whose model wants one puts its own in front",
    )
    if template == "none":
        return notes
    chats = [e for e in examples if any(has_marker(turn.text) for turn in e.turns)]
    chats = [e for e in chats if e.kind != "text"]
    return notes + _note(
        chats,
        "holds chat markers in its texts, and the template writes its own around them",
        "take the markers out, or use data.template=none for prompts that are written out",
    )


def _beginning(example: Example) -> str:
    return example.turns[0].text if example.turns else example.text


def _finder(tokenizer: Any) -> Callable[[str], bool]:
    """Return a function that finds a marker of the tokenizer's template or a public one in a text.

    A bos at the start and an eos at the end are no turn markers.
    """
    source = str(tokenizer.chat_template) if has_chat_template(tokenizer) else ""
    template_tokens = [token for token in tokenizer.all_special_tokens if token in source]
    bos, eos = tokenizer.bos_token or "", tokenizer.eos_token or ""

    def has_marker(text: str) -> bool:
        text = text.strip().removeprefix(bos).removesuffix(eos)
        return any(token in text for token in template_tokens) or MARKER.search(text) is not None

    return has_marker


def _note(found: list[Example], what: str, hint: str) -> list[Problem]:
    if not found:
        return []
    more = f"; so do {len(found) - 1} more lines" if len(found) > 2 else ""
    more = "; so does 1 more line" if len(found) == 2 else more
    return [Problem(found[0].where, what + more, hint, "note")]
