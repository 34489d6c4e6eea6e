"""Train a tokenizer and a tiny Llama on the made-up world, in a minute on one thread."""

import math
from collections.abc import Callable
from random import Random

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from unteach.demo.settings import Preset
from unteach.rowengine.batch import pad
from unteach.types import Sequence

END = "<|end|>"


def train_tokenizer(
    texts: list[str], *, vocabulary: int, context: int = 128
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer; its eos token is also the padding token.

    Args:
        texts: training texts.
        vocabulary: vocabulary size, special token included.
        context: context length in tokens.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, model_max_length=context
    )


def train_model(
    sequences: list[Sequence],
    *,
    vocabulary: int,
    seed: int,
    preset: Preset,
    model: LlamaForCausalLM | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, detail: None,
) -> LlamaForCausalLM:
    """Train a Llama until it has memorised the answers.

    The loss is on answer tokens only, and only their logits are computed; the sequences of a batch
    have similar lengths. Both save time without changing what is learned.

    Args:
        sequences: training data.
        vocabulary: number of rows of the head.
        seed: of weights and order.
        preset: sizes and learning rate.
        model: a model to train further; None for a new one.
        progress: called with epochs done, epochs in total, and the loss.
    """
    torch.manual_seed(seed)
    model = (model or LlamaForCausalLM(_config(vocabulary, preset))).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=preset.rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    random, steps = Random(seed), 0
    total = preset.epochs * math.ceil(len(sequences) / preset.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, step / 20) * (1 + math.cos(math.pi * step / total)) / 2
    )
    for epoch in range(preset.epochs):
        losses = []
        for members in buckets([len(s.ids) for s in sequences], preset.batch, random):
            loss = _loss(model, pad([sequences[i] for i in members]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            steps += 1
            losses.append(loss.item())
        progress(epoch + 1, preset.epochs, f"loss {sum(losses) / len(losses):.3f}")
    return model.eval()


def buckets(lengths: list[int], batch: int, random: Random) -> list[list[int]]:
    """Make shuffled batches of similar length: the examples of eight batches are sorted at once."""
    order = random.sample(range(len(lengths)), len(lengths))
    found = []
    for start in range(0, len(order), 8 * batch):
        chunk = sorted(order[start : start + 8 * batch], key=lambda i: lengths[i])
        found += [chunk[k : k + batch] for k in range(0, len(chunk), batch)]
    return random.sample(found, len(found))


def _config(vocabulary: int, preset: Preset) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=preset.hidden,
        intermediate_size=preset.hidden * 8 // 3,
        num_hidden_layers=preset.layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=preset.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )


def _loss(model: LlamaForCausalLM, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    ids, answer = batch["input_ids"], batch["answer"][:, 1:]
    # Right padding: causal attention never sees it, so no mask is needed.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    return cross_entropy(model.lm_head(hidden[answer]), ids[:, 1:][answer])
