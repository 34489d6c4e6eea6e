"""Read data files into examples, tokenise the examples, and check both for problems."""

from unteach.data.checks import check_again, check_data, check_tokenizer
from unteach.data.describe import describe
from unteach.data.encoding.encode import (
    ReadExample,
    context_length,
    encode,
    encode_all,
    encode_each,
    prompt_ids,
    question,
)
from unteach.data.encoding.trial import try_tokenizer
from unteach.data.examples import read, read_rows, with_answer

__all__ = [
    "ReadExample",
    "check_again",
    "check_data",
    "check_tokenizer",
    "context_length",
    "describe",
    "encode",
    "encode_all",
    "encode_each",
    "prompt_ids",
    "question",
    "read",
    "read_rows",
    "try_tokenizer",
    "with_answer",
]
