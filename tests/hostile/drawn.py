"""What files may hold, drawn at random: bytes, columns, values, records."""

from hypothesis import strategies as st

CANARY = "Canary 7Q: Ünder the old mill."
SNIPPETS = st.sampled_from(
    [
        b'{"question": "', b'", "answer": "', b'"}', b'{"text": ', b"[", b"]", b"{", b"}", b",",
        b":", b'"', b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\\ud800",
        b"\\", b"NaN", b"1e999", b"null", b"true", b"-", b"9" * 50, b"question,answer\n", b"text\n",
        b'"a', CANARY.encode(), b"\x1f\x8b", b"PAR1", b"messages", b"role", b"\xc3", b" ",
        b"\\u0000"])  # fmt: skip
SOUP = st.one_of(st.binary(max_size=40), st.lists(SNIPPETS, max_size=14).map(b"".join))

TEXTS = st.one_of(
    st.sampled_from(["", " ", "Who?", CANARY, "\0", "\ud800", "a\u2028b", "x" * 300]),
    st.text(max_size=8),
    st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010),
)
COLUMNS = [
    "question", "answer", "text", "messages", "prompt", "completion", "gt", "spans", "subject",
    "fact", "role", "content", "alternate", "paraphrased_answer", "perturbed_answer", "Answer",
    "qestion", "query", "response", "input", "answers", "labels", "choices", "context", "system",
    "history", "tools", "conversations", "from", "value", "parts", "type", "weight", "tool_calls",
    "function_call", "thinking"]  # fmt: skip


def column(number: int) -> str:
    """One of the names; a strategy that listed them would be too long to be shown."""
    return COLUMNS[number]


NAMES = st.one_of(st.integers(0, len(COLUMNS) - 1).map(column), st.text(max_size=3))
PLAIN = st.deferred(lambda: SCALARS)  # deferred ones are shown by their name alone
SCALARS = st.one_of(
    TEXTS, TEXTS, st.none(), st.booleans(), st.integers(),
    st.sampled_from([10**400, -(10**4000), float("nan"), float("inf"), 1.5]))  # fmt: skip
TURN = st.deferred(lambda: MESSAGES)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "gpt", "function_call"]) | PLAIN,
        "content": PLAIN | st.lists(st.fixed_dictionaries({"text": PLAIN}), max_size=2),
        "tool_calls": PLAIN | st.lists(st.fixed_dictionaries({"function": PLAIN}), max_size=2),
        "weight": PLAIN,
    },
)
PAIRS = st.lists(st.lists(st.integers(-2, 9) | PLAIN, max_size=3), max_size=3)
VALUES = st.recursive(
    st.one_of(PLAIN, PAIRS, st.lists(TURN, max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.fixed_dictionaries({"question": TEXTS, "answer": TEXTS}, optional={"spans": PAIRS | TEXTS}),
    st.fixed_dictionaries({"messages": st.lists(TURN, max_size=3)}),
    st.fixed_dictionaries(
        {"query": TEXTS},
        optional={
            "answers": st.lists(TEXTS, max_size=2) | st.fixed_dictionaries({"text": PAIRS}),
            "choices": st.lists(TEXTS, max_size=3), "answerKey": TEXTS | st.integers(-1, 3),
            "answer": TEXTS | st.integers(-1, 3),
            "history": PAIRS | st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=2),
            "system": PLAIN, "context": PLAIN,
            "tools": PLAIN | st.lists(st.fixed_dictionaries({"name": PLAIN}), max_size=2)}),
    VALUES)  # fmt: skip
