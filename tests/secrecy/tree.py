"""A folder that holds all that a command could write to, and what is called in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from secrecy.aviary import Aviary
from secrecy.broken import broken

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
PLUGIN = '''
import os
from dataclasses import dataclass
from typing import ClassVar

from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import Method, method
from unteach.types import Paper


@method("telling")
@dataclass(frozen=True, kw_only=True)
class Telling(Method):
    """Tells what it should not."""

    how: str = "AttributeError"

    paper: ClassVar = Paper(title="T", authors="Jo Doe", year=2026, arxiv="2601.00001", where="1")

    def forget(self, seen: AnswerRows) -> list[Term]:
        words = os.environ["WORDS"]
        if self.how == "AttributeError":
            getattr(seen, words)
        raise {"KeyError": KeyError, "TypeError": TypeError}[self.how](words)
'''


class Tree:
    """A folder that holds all that a command could write to, and the data beside it."""

    def __init__(self, root, model, tokenizer):
        self.folder, self.model, self.root = root / "tree", str(model), root
        self.aviary = Aviary(root / "data", tokenizer)
        self.bad = self.aviary.word("bad")
        for name, content in broken(self.bad).items():
            (root / "data" / name).write_bytes(content)
        (root / "data" / "mine.py").write_text(PLUGIN)
        for name in ("home", "tmp", "hf", "xdg", "cwd", "said"):
            (self.folder / name).mkdir(parents=True)

    def environment(self, name):
        places = {"HOME": "home", "TMPDIR": "tmp", "HF_HOME": "hf", "XDG_CACHE_HOME": "xdg"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "UNTEACH"))}
        first = self.aviary.canaries[0]
        return kept | {name: str(self.folder / place) for name, place in places.items()} | {
            "PYTHONPATH": os.pathsep.join([str(HERE / "site"), str(SOURCE)]),
            "AUDIT": str(self.root / f"{name}.audit"),
            "WORDS": f"{first.word}: {list(first.ids)}",
            "TORCHELASTIC_ERROR_FILE": str(self.folder / "said" / "elastic.json"),
            "WANDB_API_KEY": "0" * 40, "WANDB_MODE": "online", "WANDB_PROJECT": "p",
            "COMET_API_KEY": "0" * 25, "MLFLOW_TRACKING_URI": "http://localhost:1",
            "TENSORBOARD_LOGGING_DIR": str(self.folder / "said"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def call(self, name, *command, given=""):
        done = subprocess.run(
            [sys.executable, *command], env=self.environment(name), cwd=self.folder / "cwd",
            capture_output=True, timeout=400, input=given.encode(),
        )  # fmt: skip
        (self.folder / "said" / f"{name}.all").write_bytes(done.stdout + done.stderr)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def run(self, *more, out, method="npo"):
        data = self.aviary.path
        return [
            "run", "--model", self.model, "--forget", data("forget.jsonl"), "--method", method,
            "--retain", data("retain.jsonl"), "--holdout", data("holdout.jsonl"), "--out", out,
            *(f"--set=evaluate.also.{f.split('.')[0]}={data(f)}"
              for f in ("table.csv", "columns.parquet", "book.txt", "chat.jsonl")),
            "--set", "train.epochs=2", "--set", "train.batch_size=2",
            "--set", "evaluate.max_new_tokens=8", "--train-anyway", *more,
        ]  # fmt: skip

    def evaluate(self, *more, out):
        data = self.aviary.path
        return [
            "evaluate", "--model", self.model, "--forget", data("forget.jsonl"), "--out", out,
            "--retain", data("columns.parquet"), "--holdout", data("table.csv"),
            "--reference-model", self.model, "--max-new-tokens", "8", *more,
        ]  # fmt: skip

    def audit(self, *more, out):
        data = self.aviary.path
        return [
            "audit", "--model", self.model, "--forget", data("forget.jsonl"), "--out", out,
            "--holdout", data("table.csv"), "--max-new-tokens", "8", *more,
        ]  # fmt: skip

    def call_all(self, cases):
        """Exit status of each, from one process."""
        listed = [{"name": n, "arguments": a, "fault": f} for n, (a, f) in cases.items()]
        script, said = HERE / "command.py", self.folder / "said"
        code, out, err = self.call("all", str(script), str(said), given=json.dumps(listed))
        assert code == 0, err[-2000:]
        return json.loads(out)


def cases(tree):
    """What is called, by name: arguments, and the fault if there is one."""
    data, found = tree.aviary.path, {}

    def add(name, *arguments, fault=None):
        found[name] = (list(arguments), fault)

    def run(name, *more, fault=None, **options):
        add(name, *tree.run(*more, out=f"out-{name}", **options), fault=fault)

    saving = ("--set", "train.checkpoint_steps=1")
    asked = ("check", "--model", tree.model, "--out", "none", "--forget")
    run("adapters", "--adapter-only", "--set", "adapter.rank=2", *saving)
    run("refusals", "--set", f"data.refusals={data('refusals.txt')}", method="idk")
    run("marked", "--set", "method.selector=spans", "--json", method="dto")
    add("evaluate", *tree.evaluate("--gradient-norms", out="asked"))
    add("cached", *tree.evaluate("--gradient-norms", "--json", out="again"))
    add("audit", *tree.audit("--json", out="audited"))
    add("score", "score", "asked", "--out", "scored", "--compat", "open-unlearning")
    add("compare", "compare", "out-adapters", "out-refusals", "--out", "both")
    add("check", *asked, data("chat.jsonl"), "--retain", data("retain.jsonl"))
    run("nan", fault=("step", 1, "nan"))
    run("tracked", "--set", "train.report_to=wandb")
    for how in ("AttributeError", "KeyError", "TypeError"):
        options = ("--plugin", data("mine.py"), "--set", f"method.how={how}")
        run(f"plugin-{how}", *options, method="telling")
    for place, call in (("model", 1), ("tokenizer", 1), ("step", 2), ("saving", 1), ("writing", 1)):
        run(f"error-{place}", fault=(place, call, "chain"))
    for what in ("memory", "allocator", "interrupt", "term", "chatter"):
        run(what, fault=("step", 1, what))
    for place, call in (("model", 1), ("step", 2), ("saving", 2), ("asking", 1), ("writing", 1)):
        run(f"kill-{place}", *saving, fault=(place, call, "kill"))
    add("evaluate-error", *tree.evaluate("--no-cache", out="none"), fault=("asking", 1, "chain"))
    add("overlap", *asked, data("forget.jsonl"), "--retain", data("forget.jsonl"))
    also = (f"--set=evaluate.also.x{k}={data(name)}" for k, name in enumerate(broken(tree.bad)))
    add("broken", *asked, data("torn.jsonl"), *also)
    for name in broken(tree.bad):
        add(f"request-{name}", "run", data(name))
    add("rows", *tree.evaluate("--reference-rows", data("key.jsonl"), out="none"))
    return found
