"""Define configurations of well-known models, for estimates without their files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError, require
from unteach.models.loading import HUB_ID, load_config
from unteach.models.source import gguf_problem
from unteach.registry import did_you_mean


class Shape(NamedTuple):
    """Values of a configuration, and their source."""

    config: dict[str, Any]
    source: str


def _llama(width: int, inner: int, layers: int, heads: int, *, tied: bool = False) -> dict:
    return {
        "model_type": "llama", "vocab_size": 128_256, "hidden_size": width,
        "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": 8, "head_dim": 64 if tied else 128, "tie_word_embeddings": tied,
        "max_position_embeddings": 131_072, "dtype": "bfloat16",
    }  # fmt: skip


HERD = "The Llama 3 Herd of Models, arXiv 2407.21783, table 3"
SHAPES = {
    "llama-1b": Shape(
        _llama(2048, 8192, 16, 32, tied=True), "config.json of Llama 3.2 1B, which has no paper"
    ),
    "llama-8b": Shape(_llama(4096, 14_336, 32, 32), HERD),
    "llama-70b": Shape(_llama(8192, 28_672, 80, 64), HERD),
    "llama-405b": Shape(_llama(16_384, 53_248, 126, 128), HERD),
    "qwen-7b": Shape(
        {
            "model_type": "qwen2", "vocab_size": 152_064, "hidden_size": 3584,
            "intermediate_size": 18_944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "tie_word_embeddings": False,
            "max_position_embeddings": 32_768, "dtype": "bfloat16",
        },
        "Qwen2 Technical Report, arXiv 2407.10671, table 1; the vocabulary as its weights are "
        "padded",
    ),
}  # fmt: skip


def config_of(model: str) -> Any:
    """Load the configuration of a folder, a config.json, a hub id or one of `SHAPES`.

    Raises:
        UserError: there is none, transformers has no causal model of that type, or the model is
            quantised, so that it cannot be trained.

    Example:
        >>> config_of("llama-405b").num_hidden_layers
        126
    """
    from transformers import AutoConfig

    from unteach.models.supported import kind_problem, quantised_problem

    path, where = Path(model), f"--model {model}"
    if path.is_file():
        require(gguf_problem(model, "--model"))
        config = _of_dict(_read(path), str(path))
    elif model in SHAPES and not path.exists():
        given = dict(SHAPES[model].config)
        config = AutoConfig.for_model(given.pop("model_type"), **given)
    elif "/" not in model and not path.exists() and HUB_ID.match(model):
        hint = f"{did_you_mean(model, list(SHAPES)).strip()} Known shapes: {', '.join(SHAPES)}"
        hint += "; or give a folder, a config.json, or a hub id such as owner/name"
        raise UserError(Problem(f"--model {model}", "is not known", hint.strip(), "request"))
    else:
        config = load_config(model)
    require(kind_problem(config, where))
    require(quantised_problem(config, model, where, training=True, bits=None, device="cpu"))
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        what = f"cannot be read ({type(error).__name__})"
        problem = Problem(f"--model {path}", what, "give a model's config.json", "request")
        raise UserError(problem) from None
    return found if isinstance(found, dict) else {}


def _of_dict(values: dict[str, Any], where: str) -> Any:
    from transformers import AutoConfig

    kind = values.pop("model_type", None)
    try:
        return AutoConfig.for_model(kind, **values)
    except (ValueError, TypeError, KeyError) as error:
        what = f"is no configuration ({type(error).__name__})"
        hint = "it needs a model_type that transformers knows"
        raise UserError(Problem(f"--model {where}", what, hint, "request")) from None
