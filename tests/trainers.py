"""Runs of the trainer on a tiny model, which tests of several files share."""

from dataclasses import replace

import torch
from support import OF_TINY, Vocabulary, of_strangers, sequences, tiny_llama
from torch import Tensor

from unteach.adapters import LoraSettings, add_lora
from unteach.methods import build
from unteach.training.config import UnlearningConfig
from unteach.training.trainer import UnlearningTrainer

FORGET, RETAIN = sequences(8, "forget"), sequences(5, "retain")
INSTEAD = [replace(s, id=f"forget-{k}") for k, s in enumerate(sequences(8, "alternate", seed=9))]
UNSEEN = sequences(8, "holdout", seed=5)
VOCABULARY = Vocabulary()
CUTS = [(8, 1), (1, 8), (5, 2), (3, 3)]  # of one step: also a last one that is short


def trainer(
    method,
    tmp_path,
    *,
    model=None,
    kept=RETAIN,
    forget=FORGET,
    callbacks=(),
    holdout=UNSEEN,
    teacher_rows=None,
    replay=None,
    **options,
):
    """Plain gradient descent, unclipped, one pass over eight answers."""
    given = {"learning_rate": 1e-2, "num_train_epochs": 1, "optim": "sgd", "max_grad_norm": 1e9}
    args = UnlearningConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        disable_tqdm=True,
        **{**given, **options},
    )
    method = build(method, OF_TINY.get(method, {})) if isinstance(method, str) else method
    model = model if model is not None else tiny_llama()
    return UnlearningTrainer(
        model,
        method=method,
        forget_dataset=forget,
        alternate_dataset=INSTEAD if "alternate" in method.needs() else None,
        retain_dataset=kept,
        holdout_dataset=holdout if method.reads_teacher() else None,
        replay_dataset=replay,
        teacher_rows=teacher_rows or of_strangers(method, model, forget),
        args=args,
        callbacks=[*callbacks],
        processing_class=VOCABULARY,  # type: ignore[arg-type]
    )


def lora(dtype=torch.float64):
    """With adapters that already do something: at zero, half of them have no gradient."""
    model = add_lora(tiny_llama(dtype=dtype), LoraSettings(rank=2))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.1)
    return model


def weights(model) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def moved(model) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def answer_logps(model, sequences) -> Tensor:
    """Log-probability of each answer, one text and one token at a time."""
    found = []
    for s in sequences:
        logp = model(torch.tensor([s.ids])).logits[0].log_softmax(-1)
        found.append(sum(logp[t - 1, s.ids[t]] for t in range(len(s.ids)) if s.answer[t]))
    return torch.stack(found)


def gradient(model, loss: Tensor) -> Tensor:
    """As one vector, over what is trained."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, trained, retain_graph=True)])


def shift(model, step: Tensor) -> None:
    """Add a vector to what is trained."""
    done = 0
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += step[done : done + p.numel()].view_as(p)
                done += p.numel()
