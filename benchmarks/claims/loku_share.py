"""Less than one percent of the weights is trained."""

from typing import NamedTuple

from claim import Claim, Found, Part

RANKS = (4, 8, 16, 32)  # the authors' four
LIMIT = 0.01


class Shape(NamedTuple):
    """A model: its weights, its layers, and the (inputs, outputs) of the linear ones of each."""

    weights: float
    layers: int
    linear: tuple[tuple[int, int], ...]

    def share(self, rank: int) -> float:
        """Of the weights, what adapters on all linear layers have."""
        return rank * self.layers * sum(a + b for a, b in self.linear) / self.weights


def llama(weights: float, layers: int, width: int, keys: int, inner: int) -> Shape:
    return Shape(weights, layers, (
        (width, width), (width, keys), (width, keys), (width, width),
        (width, inner), (width, inner), (inner, width),
    ))  # fmt: skip


SHAPES = {
    "Llama-2-7B": llama(6.738e9, 32, 4096, 4096, 11_008),
    "Phi-1.5": Shape(1.418e9, 24, (*((2048, 2048),) * 4, (2048, 8192), (8192, 2048))),
    "Llama-3.2-1B": llama(1.236e9, 16, 2048, 512, 8192),
    "SmolLM2-135M": llama(134.5e6, 30, 576, 192, 1536),
}


AUTHORS = ("Llama-2-7B", "Phi-1.5")


def judge(_: Found) -> list[Part]:
    parts = []
    for rank in RANKS:
        told = ", ".join(f"{shape.share(rank):.2%} of {name}" for name, shape in SHAPES.items())
        below = all(SHAPES[name].share(rank) < LIMIT for name in AUTHORS)
        parts.append(Part(below, f"rank {rank}: {told}"))
    return parts


CLAIM = Claim(
    title="LoKU: under one percent of the weights is trained",
    paper="loku",
    where="the paper's account of its cost; ranks 4 to 32 on all linear layers are the authors' "
    "code",
    says="The adapters have less than one percent of the model's weights.",
    protocol="Counted from the models' shapes: rank x (inputs + outputs) of every linear layer but "
    "the head. A part holds where the authors' models (the first two) are both below one percent.",
    judge=judge,
    command="python benchmarks/claims.py --claims loku_share",
    remark="The larger the model, the smaller the share.",
)
