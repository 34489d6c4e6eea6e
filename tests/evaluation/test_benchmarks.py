"""TOFU from files to a report with models that learned it, and MUSE from its samples."""

import json

import pytest

from unteach.data import encode_all, read
from unteach.demo.settings import Preset
from unteach.demo.train import train_model, train_tokenizer
from unteach.evaluation.request import evaluation_request
from unteach.evaluation.run import evaluate
from unteach.files.rows import read_rows

KEPT = {"retain_perturbed": 50, "real_authors_perturbed": 20, "world_facts_perturbed": 20}
FORGET = "forget01_perturbed"
LEARNED = {"full": (0, (FORGET, *KEPT)), "retrained": (1, KEPT), "another": (2, KEPT)}
PRESET = Preset(hidden=64, layers=2, epochs=45, batch=16, rate=5e-3, context=256)


@pytest.fixture(scope="module")
def tofu(shared_data, tmp_path_factory):
    """forget01 with a few rows of each kept file; three tiny models that learned their part."""
    folder, rows = tmp_path_factory.mktemp("tofu"), {}
    for name, count in {FORGET: 40, **KEPT}.items():
        lines = (shared_data / "tofu" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows[name] = [json.loads(line) for line in lines[:count]]
        (folder / f"{name}.jsonl").write_text("\n".join(lines[:count]), encoding="utf-8")
    texts = [f"Question: {r['question']}\nAnswer: {r['answer']}" for f in rows.values() for r in f]
    tokenizer = train_tokenizer(texts, vocabulary=1500, context=256)
    for model, (seed, names) in LEARNED.items():
        sequences = []
        for name in names:
            examples, _ = read(str(folder / f"{name}.jsonl"), name)
            sequences += encode_all(examples, tokenizer, max_length=256)[0]
        trained = train_model(sequences, vocabulary=len(tokenizer), seed=seed, preset=PRESET)
        trained.save_pretrained(folder / model)
        tokenizer.save_pretrained(folder / model)
    return folder


@pytest.mark.slow
def test_tofu_from_files_to_a_report(tofu):
    """The model that learned it knows it, another retrained one is near the first."""
    report = evaluate(
        evaluation_request(
            models={"full": str(tofu / "full"), "another": str(tofu / "another")},
            original=str(tofu / "full"), retrained=str(tofu / "retrained"), suite="tofu", data=tofu,
            options={"split": "forget01"}, max_new_tokens=80, out=tofu / "out",
            cache=tofu / "cache"))  # fmt: skip
    assert report.facts["examples"] == {"forget": 40, "retain": 50, "authors": 20, "facts": 20}
    counts = report.facts["asking another"]
    assert counts["forwards"] == counts["distinct_texts"] <= counts["texts"]
    assert report.value("full", "forget", "probability") > 0.9
    assert report.value("another", "forget", "probability") < 0.1
    assert report.value("full", "forget", "rouge_l_recall") > 0.9
    assert report.value("full", "facts", "choice_probability") > 0.8
    utility = report.score("another", "retain", "model_utility")
    assert utility.value is not None
    assert utility.value > 0.3
    assert report.compared("full", "forget_quality").value < 1e-3
    assert report.compared("another", "forget_quality").value > 0.01
    assert report.compared("full", "closeness").value < 0.05
    assert report.compared("another", "closeness").value > 0.7
    assert report.compared("another", "aggregate_memorization").value > 0.5
    groups, _ = read_rows(tofu / "out" / "rows" / "another.jsonl")
    kinds = [row.kind for row in groups["forget"]]
    assert [kinds.count(k) for k in ("answer", "paraphrase", "perturbed")] == [40, 40, 200]


def muse(shared_data, tmp_path, **more):
    model = str(shared_data / "models" / "stories3M")
    return evaluation_request(
        models={"model": model, "later": model}, retrained=model, suite="muse",
        data=shared_data / "muse", max_new_tokens=16, out=tmp_path / "out",
        cache=tmp_path / "cache", **more)  # fmt: skip


def test_muse_from_its_samples(shared_data, tmp_path):
    """Three rows of each file: every one of MUSE's numbers is there, whatever it is."""
    report = evaluate(muse(shared_data, tmp_path))
    assert report.value("model", "verbmem", "verbatim_memorization") is not None
    assert report.value("model", "knowmem", "knowledge_memorization") is not None
    assert report.value("model", "knowmem_retain", "knowledge_memorization") is not None
    assert report.compared("model", "privleak").value == 0  # it is the retrained model itself
    assert not report.tables
    assert not report.notes


def test_questions_that_do_not_fit_are_counted(shared_data, tmp_path):
    report = evaluate(muse(shared_data, tmp_path, max_length=64))
    assert report.value("model", "knowmem", "knowledge_memorization") is None
    notes = [note for note in report.notes if note.startswith("knowmem: 3 of 3 questions")]
    assert notes
    assert notes[0].endswith("do not fit into 64 tokens")


def test_a_protocol_puts_its_models_in_order(stories260k, tmp_path):
    """MUSE's sustainability on made-up files: a table of utility, request by request."""
    folder = tmp_path / "data"
    folder.mkdir()
    pairs = [{"question": f"Who is {n}?", "answer": f"{n}, a baker."} for n in ("Ada", "Ben")]
    texts = ["Once there was a baker. " * 4, "A baker had a red hat. " * 4]
    for name in ("knowmem_forget_qa", "knowmem_forget_qa_icl", "knowmem_retain_qa",
                 "knowmem_retain_qa_icl"):  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(pairs))
    for name in ("sust_forget_2", "privleak_retain"):
        (folder / f"{name}.json").write_text(json.dumps(texts))
    verbatim = [{"prompt": text[:30], "gt": text[30:]} for text in texts]
    (folder / "verbmem_forget.json").write_text(json.dumps(verbatim))
    model = str(stories260k)
    report = evaluate(
        evaluation_request(
            models={"request-1": model, "request-2": model}, original=model, suite="muse",
            data=folder, options={"protocol": "sustainability", "request": "2"}, max_new_tokens=8,
            out=tmp_path / "out"))  # fmt: skip
    [(title, table)] = report.tables.items()
    assert title.startswith("Sustainability")
    assert [line[0] for line in table[1:]] == ["original", "request-1", "request-2"]
    assert title in (tmp_path / "out" / "report.md").read_text()
