"""The guides' settings load, and their arithmetic is right."""

import re
import shlex
from pathlib import Path

import yaml

from unteach.data.records.names import KNOWN
from unteach.head.find import ON_ACCELERATOR, ON_CPU
from unteach.inference.store import IN_MEMORY
from unteach.settings.request import Request

GUIDES = Path(__file__).resolve().parents[1] / "docs" / "guides"
MEMORY = (GUIDES / "memory.md").read_text("utf-8")
EVALUATION = (GUIDES / "evaluation.md").read_text("utf-8")
GB = 1e9
# Llama 3.2 1B and Llama 3.1 8B, from their configurations.
VOCABULARY = 128_256
SMALL, SMALL_EMBEDDING = 1_235_814_400, VOCABULARY * 2048
LINEAR = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
EMBEDDING, HEAD = (VOCABULARY * 4096,) * 2
ADAPTERS = 32 * 16 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336))
PACKED = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes of a weight in 4 bits with its scales


def test_the_guide_to_data_names_every_column_that_is_read():
    guide = (GUIDES / "data.md").read_text("utf-8")
    assert [name for name in KNOWN if f"`{name}`" not in guide] == []


def test_the_settings_of_the_memory_guide_load():
    found = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", MEMORY, re.S)]
    assert len(found) == 3
    for settings in found:
        Request.model_validate({"model": "m", "forget": "f", "out": "o", **settings})


def test_the_arithmetic_of_the_memory_guide():
    whole = SMALL * 16 / GB
    eight = (SMALL * 8 + SMALL_EMBEDDING * 8 + (SMALL - SMALL_EMBEDDING) * 2) / GB
    adapters = ADAPTERS * 16 / GB
    numbers = {
        "1B, AdamW": (whole, "19.8 GB"),
        "1B, AdamW in 8 bits": (eight, "13.9 GB"),
        "1B, no state": (SMALL * 8 / GB, "9.9 GB"),
        "1B, copies in bfloat16": (SMALL * 2 / GB, "2.5 GB † for the 1B"),
        "a packed weight": (PACKED, "0.516"),
        "packed": (LINEAR * PACKED / GB, "3.6 GB"),
        "embeddings": ((EMBEDDING + HEAD) * 2 / GB, "2.1 GB"),
        "adapters": (adapters, "0.7 GB"),
        "their optimiser": (ADAPTERS * 8 / GB, "0.3 of 6.4 GB"),
        "LoRA": ((LINEAR + EMBEDDING + HEAD) * 2 / GB + adapters, "16.7 GB"),
        "QLoRA": (LINEAR * PACKED / GB + (EMBEDDING + HEAD) * 2 / GB + adapters, "6.4 GB"),
        "as written": ((LINEAR + EMBEDDING + HEAD) * 2 / GB, "16.1 GB"),
        "logits": (ON_ACCELERATOR / GB, "0.8 GB"),
        "rows of them": (ON_ACCELERATOR // (4 * VOCABULARY), "1569 rows"),
        "logits on a CPU": (ON_CPU / GB, "0.07 GB"),
        "256 rows": (256 * VOCABULARY * 4 / GB, "0.13 GB"),
        "the head of the 1B": (SMALL_EMBEDDING * 4 / GB, "1.1 GB † for the 1B"),
        "a state": (4096 * 2 / 1e3, "8.2 kB"),
        "kept by checkpointing": (32 * 4096 * 4096 * 2 / GB, "1.1 GB"),
    }
    for what, (number, said) in numbers.items():
        digits = said.split()[0]
        decimals = len(digits.partition(".")[2])
        assert f"{number:.{decimals}f}" == digits, what
        assert said in MEMORY, what
    assert IN_MEMORY == 131_072 * 4096 * 2
    assert f"{IN_MEMORY / GB:.2f}\nGB †" in MEMORY


def test_the_commands_of_the_evaluation_guide_are_understood():
    """Flags, suites and their options; nothing is run."""
    import typer

    from unteach.cli import app
    from unteach.cli.evaluate import settings
    from unteach.suites import SUITES
    from unteach.suites._options import chosen

    text = EVALUATION.replace("\\\n", " ")
    lines = [line.split("unteach ", 1)[1] for line in text.splitlines()
             if re.match(r"    (accelerate .*-m )?unteach ", line)]  # fmt: skip
    assert len(lines) == 11
    known = typer.main.get_command(app).commands
    for line in lines:
        name, *rest = shlex.split(line.replace(" ...", ""))
        given = known[name].make_context(name, rest).params
        if name == "evaluate":
            suite = SUITES.get(given["suite"])
            chosen(suite.name, suite.options, settings(given["set_"]))


def test_the_options_of_the_evaluation_guide_are_those_of_the_suites():
    from unteach.suites import SUITES

    table = {line.split("`")[1]: line for line in EVALUATION.splitlines() if line.startswith("| `")}
    for name in SUITES:
        for option, choice in SUITES.get(name).options.items():
            if name in ("tofu", "muse", "lume", "rwku", "wmdp"):
                assert option in table[name], (name, option)
                assert all(value.strip("0") in table[name] for value in choice.values[:1])


def test_the_python_of_the_evaluation_guide(tmp_path):
    import unteach

    asked = unteach.Evaluation(models={"npo": "runs/npo"}, suite="tofu", data="tofu", out=tmp_path)
    assert (asked.data, asked.suite) == (Path("tofu"), "tofu")
    assert callable(unteach.evaluate)
