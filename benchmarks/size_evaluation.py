"""Is what `unteach size` says of evaluation what asking holds? On one process.

    python benchmarks/size_evaluation.py

Measured is what asking a model and then its original allocates (`held`), from when each is
loaded: on a CPU it is loaded into the memory in which it is then asked. The goal is 15% of the
peak. Of processes that share weights it tells nothing that repeats: what gloo's threads free is not
told (the same case gave 88 and 114 MB).
"""

import tempfile
from pathlib import Path
from typing import Any

from accelerate import PartialState
from held import held, mark
from llamas import llama, texts
from measure import RESULTS, write_csv
from size import HEADER, SHAPES, _line
from size import Case as Trained
from size import predicted as predicted_of

from unteach.evaluation.loading import load
from unteach.inference import Interview, KeptStates, loaded_model

EXAMPLES, BATCH, LENGTH = 16, 4096, 64  # texts, padded tokens of a forward, tokens of a text


class _Tokenizer:
    eos_token_id = 1


def measured(shape: str, folder: Path) -> int:
    """Bytes of this process, once the models are loaded."""
    own, others = (
        texts(role, EXAMPLES, LENGTH, SHAPES[shape].vocabulary) for role in ("forget", "retain")
    )
    path = str(folder)

    def loaded() -> Any:
        mark("loading")
        return load(path, path, dtype="float32", device="cpu", bits=None, trust_remote_code=False)

    def asking(ask: Any) -> Any:
        def use(model: Any) -> None:
            mark("asking")
            ask(model)

        return use

    def work(marks: Any) -> None:
        interview = Interview(
            own=own, others=others, prompts=[(text.ids, LENGTH) for text in own],
            tokens_per_batch=BATCH, told=lambda *now: None, kept=KeptStates(own),
        )  # fmt: skip
        loaded_model(loaded, asking(lambda model: interview.of_model(model, _Tokenizer())))
        loaded_model(loaded, asking(lambda model: interview.of_original(model, own)))

    return held(work)["asking"]


def predicted(shape: str) -> float:
    """The last column of `unteach size`."""
    trained = Trained(shape, "graddiff", length=LENGTH)
    size = predicted_of(trained, llama(SHAPES[shape]).config)
    assert size.moments[-1].name == "evaluation"
    return size.moments[-1].total


def main() -> None:
    PartialState(cpu=True)
    rows = []
    for shape in ("wide", "deep", "tied"):
        with tempfile.TemporaryDirectory() as folder:
            llama(SHAPES[shape]).save_pretrained(folder)
            found = measured(shape, Path(folder))
        case = f"{shape}, asked, {EXAMPLES}x{LENGTH}"
        rows.append(_line(case, "peak", predicted(shape), found))
        print(*rows[-1], flush=True)
    write_csv(RESULTS / "size_evaluation.csv", HEADER, rows)


if __name__ == "__main__":
    main()
