"""Find invalid values in a model's config.json and generation_config.json, all at once.

transformers finds some of them while it loads the weights, one at a time and without the key. It
copies others into the result, where they fail when the model is served.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from unteach.errors import Problem
from unteach.models.source import folder_of, read_json

CONFIG, GENERATION = "config.json", "generation_config.json"
NUMBERS = frozenset(
    str.split(
        "temperature top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty "
        "encoder_repetition_penalty length_penalty guidance_scale diversity_penalty penalty_alpha "
        "max_time assistant_confidence_threshold"
    )
)
WHOLE = frozenset(
    str.split(
        "max_length max_new_tokens min_length min_new_tokens num_beams num_beam_groups top_k "
        "no_repeat_ngram_size encoder_no_repeat_ngram_size num_return_sequences max_cache_len"
    )
)
FLAGS = frozenset(
    str.split(
        "do_sample use_cache renormalize_logits remove_invalid_values output_attentions "
        "output_hidden_states output_scores output_logits return_dict_in_generate token_healing"
    )
)
IDS = frozenset(str.split("bos_token_id pad_token_id decoder_start_token_id forced_bos_token_id"))
MANY_IDS = frozenset(
    str.split("eos_token_id forced_eos_token_id suppress_tokens begin_suppress_tokens")
)
LISTS = ("suppress_tokens", "begin_suppress_tokens")
SIZES = (
    "hidden_size", "n_embd", "d_model", "num_hidden_layers", "n_layer", "num_attention_heads",
    "n_head", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings",
    "n_positions",
)  # fmt: skip
ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function")
ROPE = ("rope_parameters", "rope_scaling")
NO_NUMBERS = ("rope_type", "type", "mrope_section", "mrope_interleaved", "truncate")
LONGEST = 40  # characters of a value in a message


def settings_problems(model: str, where: str) -> list[Problem]:
    """Find values in both files that are invalid for any model class.

    Files that are not on this machine are skipped.

    Args:
        model: a folder or a hub id.
        where: name of the model in messages.
    """
    config, generation = _read(model, CONFIG), _read(model, GENERATION)
    found = [
        _value_problem(where, CONFIG, *odd)
        for part in _parts(config)
        for odd in _config_errors(part)
    ]
    if isinstance(generation, str):
        what = f"its {GENERATION} is no JSON object ({generation})"
        hint = "write it anew, or take it away: the result has a copy of it"
        return [*found, Problem(where, what, hint, "request")]
    for name, settings in ((CONFIG, _generation_in_config(config)), (GENERATION, generation or {})):
        found += [_value_problem(where, name, *odd) for odd in _generation_errors(settings)]
    return found


def suspects(model: str, where: str) -> list[Problem]:
    """Find suspicious values of config.json, after the model's class has refused it.

    They are checked only then, since a class with its own code may accept further values.
    """
    config = _read(model, CONFIG)
    odd = (odd for part in _parts(config) for odd in _suspicious_values(part))
    return [_value_problem(where, CONFIG, *each) for each in odd]


def _read(model: str, name: str) -> dict[str, Any] | str | None:
    """Read the JSON object in a file; an error text if it is none; None without such a file."""
    folder = folder_of(model)
    if folder is None or not (folder / name).is_file():
        return None
    try:
        return read_json(folder / name)
    except ValueError as error:
        return str(error)


def _parts(config: Any) -> list[Mapping[str, Any]]:
    """Return the configuration, and its `text_config` if it has one."""
    if not isinstance(config, Mapping):
        return []
    text = config.get("text_config")
    return [config, text] if isinstance(text, Mapping) else [config]


Odd = tuple[str, Any, str]
"""A key, its value, and a description of valid values."""


def _config_errors(config: Mapping[str, Any]) -> Iterator[Odd]:
    for key in SIZES:
        value = config.get(key)
        if _is_number(value) and value < 1:
            yield key, value, "a whole number above 0"
    packed = config.get("quantization_config")
    if packed is not None and not isinstance(packed, Mapping):
        yield "quantization_config", packed, "an object with a quant_method"
    named = config.get("architectures")
    if named is not None and not (isinstance(named, list) and all(type(n) is str for n in named)):
        yield "architectures", named, "a list with the name of a class"


def _generation_in_config(config: Any) -> dict[str, Any]:
    """Return the generation settings in config.json."""
    found = _parts(config)[-1:]
    return {key: found[0][key] for key in ("eos_token_id",) if found and key in found[0]}


def _generation_errors(settings: Mapping[str, Any]) -> Iterator[Odd]:
    odd = [odd for key, value in settings.items() if (odd := _type_error(key, value))]
    yield from odd
    known = {key for key, _, _ in odd}
    others = {key: value for key, value in settings.items() if key not in known}
    if not _refused(others):  # what is refused alone may go with the others
        return
    for key, value in others.items():
        if why := _refused({key: value}):
            known.add(key)
            yield key, value, why
    if why := _refused({key: value for key, value in others.items() if key not in known}):
        yield "several keys", "", why


def _type_error(key: str, value: Any) -> Odd | None:
    """Return the key and its value if the value has the wrong type for the key."""
    if value is None:
        return None
    if key in NUMBERS and not _is_number(value):
        return key, value, "a number"
    if key in WHOLE and not (_is_number(value) and value == int(value)):
        return key, value, "a whole number"
    if key in FLAGS and not isinstance(value, bool):
        return key, value, "true or false"
    if key in IDS and not _is_whole(value):
        return key, value, "the id of a token"
    if key in MANY_IDS:
        each = value if isinstance(value, list) else [value]
        wrong = key in LISTS and not isinstance(value, list)
        if wrong or not all(map(_is_whole, each)):
            return key, value, "a list of ids of tokens" if wrong else "the id of a token, or ids"
        if key == "eos_token_id" and min(each, default=0) < 0:
            return key, value, "the id of the token that ends an answer, which is 0 or more"
    return None


def _refused(settings: Mapping[str, Any]) -> str:
    """Return the error of transformers for settings that it refuses; otherwise empty."""
    import warnings

    from transformers import GenerationConfig

    from unteach.models.supported import first_line
    from unteach.models.weights import hushed

    try:
        with hushed(), warnings.catch_warnings(action="ignore"):
            GenerationConfig(**settings)
    except Exception as error:  # depends on the content of the file
        message = first_line(error)
        return "another value" if message == type(error).__name__ else f"another value: {message}"
    return ""


def _suspicious_values(config: Mapping[str, Any]) -> Iterator[Odd]:
    import torch
    from transformers.activations import ACT2FN

    for key in ACTIVATIONS:
        value = config.get(key)
        if value is not None and not (type(value) is str and value in ACT2FN):
            yield key, value, "an activation of transformers, such as silu or gelu"
    for key in ("dtype", "torch_dtype"):
        value = config.get(key)
        named = getattr(torch, str(value).removeprefix("torch."), None)
        if value is not None and not isinstance(named, torch.dtype):
            yield key, value, "a type of torch, such as bfloat16"
    for key in ROPE:
        yield from _rope_errors(key, config.get(key))
    pad, size = config.get("pad_token_id"), config.get("vocab_size")
    if _is_whole(pad) and _is_whole(size) and pad >= size:
        yield "pad_token_id", pad, f"the id of a token, below the {size} of vocab_size"


def _rope_errors(key: str, value: Any) -> Iterator[Odd]:
    """Find invalid values of RoPE settings; models with several layer types have one per type."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield key, value, "an object with a rope_type"
        return
    if value and all(isinstance(each, Mapping) for each in value.values()):
        for kind, each in value.items():
            yield from _rope_errors(f"{key}.{kind}", each)
        return
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    kind, known = value.get("rope_type", value.get("type")), ["default", *ROPE_INIT_FUNCTIONS]
    if kind is not None and kind not in known:
        yield f"{key}.rope_type", kind, f"one of {', '.join(known)}"
    for name, each in value.items():
        numbers = each if isinstance(each, list) else [each]
        if name not in NO_NUMBERS and not all(map(_is_number, numbers)):
            yield f"{key}.{name}", each, "a number, or a list of them"


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _value_problem(where: str, file: str, key: str, value: Any, wanted: str) -> Problem:
    value_text = json.dumps(value)[:LONGEST]
    what = f"{file}: {key} is {value_text}" if value != "" else f"{file}: {key} do not go together"
    return Problem(where, what, f"write {wanted}; or take the key out", "request")
