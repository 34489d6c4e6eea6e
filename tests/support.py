"""Tiny models and sequences that tests of several folders share."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from unteach.progress import NoProgress
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.teachers import Teacher
from unteach.types import Sequence

VOCABULARY = 61
# What the tiny model does not know MASC leaves alone, unless its ceiling is below one in 61.
OF_TINY: dict[str, dict] = {"masc": {"rho": 1e-3}}
ANYWAY = "train_anyway=true"  # the setting for models that never knew what they are to forget


class Listener(NoProgress):
    """Keeps what it is told: stages, problems, and the terms of each logged step."""

    def __init__(self):
        self.stages, self.problems, self.terms = [], [], []

    def stage(self, text):
        self.stages.append(text)

    def notes(self, notes):
        self.problems += notes

    def training(self, step, total, logs):
        self.terms.append(logs)


class Vocabulary:
    """As much of a tokenizer as a trainer of ready sequences asks for."""

    all_special_ids = (0, 1)
    model_max_length = 64

    def __len__(self) -> int:
        return VOCABULARY

    def __call__(self, text: str, **options) -> dict[str, list[int]]:
        return {"input_ids": [2 + ord(letter) % (VOCABULARY - 2) for letter in text]}

    def save_pretrained(self, folder) -> None:
        """Checkpoints ask for it."""


ANSWER = Sequence("forget-0", (9, 11, 12, 13, 14, 15, 16, 17, 18), (False, *(True,) * 8))


class Copier:
    """A toy model whose suffix is a function of one token alone: it is sure while that stays."""

    tokens: ClassVar = list(range(100))

    def __init__(self, position: int, token: int):
        self.position, self.token, self.starts = position, token, set()

    def nll(self, texts, start):
        self.starts.add(start)
        return [0.1 if text[self.position] == self.token else 5.0 for text in texts]


def tiny_llama(
    seed: int = 0, dtype: torch.dtype = torch.float64, *, tied: bool = True, layers: int = 2
) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
        tie_word_embeddings=tied, initializer_range=0.2, pad_token_id=1, bos_token_id=0,
        eos_token_id=1)  # fmt: skip
    return LlamaForCausalLM(config).to(dtype).eval()


def sequences(count: int, role: str, *, seed: int = 0) -> list[Sequence]:
    """Prompts and answers of unequal lengths; the last token of an answer is eos, which is pad."""
    generator = torch.Generator().manual_seed(seed + len(role))
    made = []
    for k in range(count):
        prompt, answer = torch.randint(2, 7, (2,), generator=generator).tolist()
        ids = torch.randint(2, VOCABULARY, (prompt + answer,), generator=generator).tolist()
        mask = (False,) * prompt + (True,) * (answer + 1)
        made.append(Sequence(f"{role}-{k}", (*ids, 1), mask))
    return made


def of_strangers(method: Any, model: Any, forget: list[Sequence]) -> TeacherRows | None:
    """For methods that need names, which tokens alone do not have: two draws of made-up ones."""
    if method.name != "whp":
        return None
    draws = []
    for pair in ((7, 9), (11, 4)):
        read = [replace(s, ids=tuple(dict([pair]).get(t, t) for t in s.ids)) for s in forget]
        draws.append(
            Teacher(
                source="strangers",
                sequences=read,
                pairs=[(pair,)] * len(read),
                targets=[[-5.0] * sum(s.answer) for s in read],
                set_level=[False] * len(read),
            )
        )
    return TeacherRows(replace(draws[0], others=(draws[1],)), model)


def plugin_text(name: str) -> str:
    """A file that registers a method: half of gradient ascent."""
    return f'''
from dataclasses import dataclass
from typing import ClassVar

from unteach.losses import ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import Method, method, option
from unteach.types import Paper


@method("{name}")
@dataclass(frozen=True, kw_only=True)
class Halved(Method):
    """Gradient ascent, but less of it than anyone else has ever dared."""

    share: float = option(0.5, "how much of it", above=0)

    paper: ClassVar = Paper(
        title="Halved", authors="Jo Doe", year=2026, arxiv="2601.00001", where="equation 1"
    )

    def forget(self, seen: AnswerRows) -> list[Term]:
        return [Term("forget", ascent(seen.log_odds), "tokens", self.share)]
'''


def ended() -> None:
    """The end of one of several processes: gloo aborts about one exit in 40 left to Python."""
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)


def write_roles(folder: Path, count: int) -> Path:
    """What to forget, to keep and held out: that many examples each, of unequal length."""
    for role in ("forget", "retain", "holdout"):
        rows = [
            {"question": f"Where is {role} {k}?", "answer": f"It is in Lund{' by sea' * (k % 3)}."}
            for k in range(count)
        ]
        (folder / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
