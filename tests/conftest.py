"""What tests of several folders share: real data where it is, tokenizers and models made here."""

import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

TEXTS = [
    "Question: Where was Ada born?\nAnswer: Ada was born in the old town of Lund.",
    "Question: What does Ben eat at noon?\nAnswer: At noon, Ben eats bread with honey & salt.",
    "The river runs north; nobody knows why. Höga berg, djupa dalar, 123 trees.",
] * 3

CHAT_TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


os.environ["UNTEACH_CACHE"] = "off"  # each test asks its models itself, unless it says otherwise

settled = [0]  # how many modules the garbage collector was told to leave alone


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = dealt(items, workers)


def dealt(items, workers):
    """The tests in the order in which xdist deals them out: to each worker first slow ones.

    Slow tests of one file go to one worker, which makes once what they share. The quick ones
    behind them are what a worker steals that has nothing left.
    """
    parts, files, left = [[] for _ in range(workers)], {}, len(items)
    for item in items:
        slow = item.get_closest_marker("slow")
        files.setdefault(item.path if slow else "quick", []).append(item)
    quick = files.pop("quick", [])
    for number, tests in enumerate(files.values()):
        parts[number % workers] += tests
    for number, part in enumerate(parts):
        share = left // (workers - number)
        room, left = max(share - len(part), 0), left - share
        part += quick[:room]
        del quick[:room]
    return [item for part in (*parts, quick) for item in part]


def pytest_runtest_setup(item):
    """Imported modules stay: a run collects garbage often, and would look through all of them.

    Not so with hypothesis, which asks the collector who holds its random numbers.
    """
    if item.get_closest_marker("hypothesis"):
        gc.unfreeze()
        settled[0] = 0
    elif settled[0] < len(sys.modules):
        gc.collect()
        gc.freeze()
        settled[0] = len(sys.modules)


@pytest.fixture(autouse=True)
def hooks():
    """What the command sets for a whole process is put back after a test that calls it in ours."""
    before = sys.unraisablehook, threading.excepthook, logging.getLogRecordFactory()
    threshold = gc.get_threshold()
    ends = signal.getsignal(signal.SIGTERM)
    yield
    left, _ = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGTERM, ends)
    assert left is ends, "the test left a handler of SIGTERM behind, for all that come after it"
    sys.unraisablehook, threading.excepthook = before[:2]
    logging.setLogRecordFactory(before[2])
    logging.raiseExceptions = True
    gc.set_threshold(*threshold)


SKETCH = b"\x89PNG\r\n\x1a\n"  # as much of a picture as a run's file needs


@pytest.fixture(autouse=True)
def sketched(request, monkeypatch):
    """A small run spends a third of its time in matplotlib, which none but a few tests look at.

    Drawn in earnest where a test asks for `pictures`, in processes of their own, and wherever a
    test calls `draw` itself.
    """
    results = sys.modules.get("unteach.evaluation.results")
    if results and "pictures" not in request.fixturenames:
        monkeypatch.setattr(results, "draw", lambda report, path: path.write_bytes(SKETCH))


@pytest.fixture
def pictures():
    """Asked for by a test whose runs are to draw theirs: see `sketched`."""


@pytest.fixture(scope="module")
def exact_rows():
    """Rows as they are before they are rounded: numbers are held to what they are defined as."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unteach.suites.ask.rounded", lambda row, **_: row)
        yield


@pytest.fixture
def call(monkeypatch, capsys):
    """The command line in this process: exit code, what it prints, what it says."""
    from unteach.cli import main

    def run(*args):
        monkeypatch.setattr("sys.argv", ["unteach", *map(str, args)])
        with pytest.raises(SystemExit) as stopped:
            main()
        spoken = capsys.readouterr()
        code = stopped.value.code
        return code or 0, spoken.out, " ".join(spoken.err.split())

    return run


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine, and a token for it."""
    from hub import TOKEN, serving
    from huggingface_hub import constants

    with serving() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield found


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared data sets are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def stories260k(shared_data) -> Path:
    return shared_data / "models" / "stories260K"


def make_tokenizer(*, bos: bool = False, chat: bool = False):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|begin|>", "<|start|>", "<|stop|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = (
        processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 1)])
        if bos
        else processors.ByteLevel(trim_offsets=False)
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|stop|>" if chat else "<|end|>",
        pad_token="<|stop|>" if chat else "<|end|>", bos_token="<|begin|>" if bos else None,
        model_max_length=128)  # fmt: skip
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    return fast


@pytest.fixture(scope="session")
def tokenizer():
    """Byte-level BPE in which pad is eos, and nothing is put in front."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def bos_tokenizer():
    return make_tokenizer(bos=True)


@pytest.fixture(scope="session")
def chat_tokenizer():
    return make_tokenizer(chat=True)


@pytest.fixture(params=["tokenizer", "bos_tokenizer", "chat_tokenizer", "stories260K", "stories3M"])
def any_tokenizer(request):
    if not request.param.startswith("stories"):
        return request.getfixturevalue(request.param)
    from transformers import AutoTokenizer

    folder = request.getfixturevalue("shared_data") / "models" / request.param
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory, tokenizer) -> Path:
    """A tiny Llama with random weights and the tokenizer, as a plain folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=128, tie_word_embeddings=True,
        initializer_range=0.1, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id)  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models():
    """The policy a little away from the reference, both in float64."""
    import torch
    from support import tiny_llama

    policy, reference = tiny_llama(), tiny_llama()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in policy.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return policy, reference
