"""Detect unsupported models from their configuration: no causal head, quantised, attention."""

import re
from typing import Any

from unteach.errors import Problem
from unteach.models.source import command_line

# Name endings of classes that predict the next token.
HEADED = re.compile(r"(CausalLM|LMHead|LMHeadModel|ConditionalGeneration|Decoder)$")
OWN_CODE = "transformers_modules"  # package in which transformers puts remote code
RAISED = re.compile(r"^\w+Error: ")
PLAIN = "give a causal language model, such as Llama, Qwen or GPT-2"
WIDER = {  # formats that transformers can dequantise; options keep the names of the experts plain
    "fp8": ("FineGrainedFP8Config", ""),
    "mxfp4": ("Mxfp4Config", ", save_original_format=False"),
}
WIDEN = (
    "import sys; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T, {0} as C; "
    "d, out = sys.argv[1:]; "
    "M.from_pretrained(d, quantization_config=C(dequantize=True)).save_pretrained(out{1}); "
    "T.from_pretrained(d).save_pretrained(out)"
)


def has_causal_head(config: Any) -> bool:
    """Whether transformers, or the model's remote code, has a causal LM class for this config."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    has_own_code = type(config).__module__.startswith(OWN_CODE)
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or (
        has_own_code and "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    )


def kind_problem(config: Any, where: str) -> Problem | None:
    """Find why a model is no causal language model.

    Args:
        config: of the model.
        where: name of the model in messages.

    Returns:
        A problem for encoders, encoder-decoders, classifiers and models without a head; else None.
    """
    kind = getattr(config, "model_type", "unknown")
    if not has_causal_head(config):
        what = f"a {kind} has no causal head"
    elif what := _other_class(config):
        pass
    elif _is_bidirectional(config):
        what = f"a {kind} reads its text both ways, as an encoder does, so it has no next token"
    return Problem(where, what, PLAIN, "request") if what else None


def _other_class(config: Any) -> str:
    """Describe the class in config.json if the model would be loaded as another; else empty."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    named = [str(name) for name in getattr(config, "architectures", None) or ()]
    if not named or type(config).__module__.startswith(OWN_CODE):
        return ""
    loaded = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type, "")
    if set(named) & {loaded} or (isinstance(loaded, tuple) and set(named) & set(loaded)):
        return ""
    if getattr(config, "is_encoder_decoder", False):
        return f"is a {named[0]}, which has an encoder and a decoder"
    others = [name for name in named if not HEADED.search(name) and hasattr(transformers, name)]
    if len(others) < len(named):
        return ""  # unknown classes: the names of the weights decide
    return f"is a {named[0]}, which has no head that gives the next token"


def _is_bidirectional(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

    plain = not getattr(config, "is_encoder_decoder", False)
    masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING
    return plain and masked and getattr(config, "is_decoder", True) is False


def quantised_as(config: Any) -> str:
    """Return the quantisation method of the weights ("gptq", "fp8", ...); empty if there is none.

    Example:
        >>> from types import SimpleNamespace
        >>> quantised_as(SimpleNamespace(quantization_config={"quant_method": "gptq", "bits": 4}))
        'gptq'
    """
    parts = [config, *(getattr(config, part, None) for part in getattr(config, "sub_configs", ()))]
    for part in parts:
        found = getattr(part, "quantization_config", None)
        if found is not None:
            found = found if isinstance(found, dict) else found.to_dict()
            method = found.get("quant_method") or "in a way that it does not name"
            return str(getattr(method, "value", method))
    return ""


def quantised_problem(
    config: Any, model: str, where: str, *, training: bool, bits: int | None, device: str
) -> Problem | None:
    """Find why a quantised checkpoint cannot be trained, or not loaded on this machine.

    Args:
        config: of the model.
        model: a folder or a hub id.
        where: name of the model in messages.
        training: whether it will be trained; else it is only evaluated.
        bits: 4 if it will be loaded in 4 bits.
        device: torch name of the device for evaluation.
    """
    kind = quantised_as(config)
    if not kind:
        return None
    if training or bits:
        what = f"is quantised already ({kind}), so its weights are not "
        what += "trained" if training else "put in 4 bits"
        return Problem(where, what, _unquantised_hint(kind, model, training), "request")
    from transformers.quantizers.auto import AutoHfQuantizer

    try:
        quantizer = AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
        quantizer.validate_environment(device_map={"": device})
    except Exception as error:  # each quantisation library raises its own errors
        what = f"is quantised ({kind}), which does not load here: {first_line(error)}"
        return Problem(where, what, _unquantised_hint(kind, model, False), "request")
    return None


def _unquantised_hint(kind: str, model: str, training: bool) -> str:
    hint = "give the model that it was made of"
    if training:
        hint += " (adapter.bits=4 trains over 4 bits of it)"
    if kind in WIDER:
        out = f"{model.rstrip('/')}-plain"
        hint += f"; or widen it and give {out}: "
        return hint + command_line(WIDEN.format(*WIDER[kind]), model, out)
    return hint + "; if its weights are plain, take quantization_config out of its config.json"


def attention_problem(model: Any, where: str, device: str) -> Problem | None:
    """Make the problem of an attention implementation that does not run on a CPU.

    Args:
        model: the model, with or without weights.
        where: name of the model in messages.
        device: torch type of the device it will run on.
    """
    name = str(getattr(model.config, "_attn_implementation", None))
    if device != "cpu" or not name.startswith(("flash", "flex")):
        return None
    what = f"asks in its config.json for {name}, which does not run or train on a CPU"
    hint = "take attn_implementation (or _attn_implementation) out of it, or set it to sdpa"
    return Problem(where, what, hint, "request")


def unbuilt(error: Exception, where: str) -> Problem:
    """Make the problem of a model class that refuses its configuration."""
    hint = what_to_do(error) or "give the config.json that `save_pretrained` wrote beside it"
    what = f"its config.json builds no model ({first_line(error)})"
    return Problem(where, what, hint, "request")


def what_to_do(error: Exception) -> str:
    """Return a hint for a missing attention implementation or package; empty for other errors.

    Example:
        >>> what_to_do(ImportError("needs `pip install nowhere`"))
        'install what it names, or give a model that needs none of it'
    """
    message = str(error).lower()
    if isinstance(error, (ImportError, ValueError)) and ("attn" in message or "flash" in message):
        hint = "take attn_implementation (or _attn_implementation) out of its config.json"
        return f"{hint}, or install what it names (of flash_attention_2 that is flash-attn)"
    if isinstance(error, ImportError):
        return "install what it names, or give a model that needs none of it"
    return ""


def first_line(error: Exception) -> str:
    """Return the first line of an error message; only the type for errors of no use to users.

    Example:
        >>> first_line(KeyError("Missing required keys in `rope_parameters`: {'factor'}"))
        "Missing required keys in `rope_parameters`: {'factor'}"
        >>> first_line(KeyError("nosuch")), first_line(AttributeError("no attribute"))
        ("KeyError: 'nosuch'", 'AttributeError')
    """
    lines = str(error).strip().splitlines()
    if isinstance(error, KeyError) and len(error.args) == 1:
        key = str(error.args[0]).strip()
        lines = [key if " " in key else f"KeyError: {key!r}"]
    elif type(error).__module__.startswith("huggingface_hub"):  # below a title: TypeError: ...
        lines = [RAISED.sub("", line.strip()) for line in lines[1:]] or lines
    elif not isinstance(error, (OSError, ValueError, ImportError)):
        lines = []
    return lines[0][:240] if lines else type(error).__name__
