"""Entities and noun chunks: what spaCy finds, and what is said when it is not there."""

import importlib.util

import pytest

from unteach.data import encode, read_rows
from unteach.errors import UserError
from unteach.methods import build
from unteach.selectors import selector_of

ROWS = [
    {"question": "Where was Ada born?", "answer": "Ada was born in Höga berg, near Lund."},
    {"question": "What does she eat?", "answer": "She eats bread."},
]


def sequences(tokenizer):
    return [s for e in read_rows(ROWS, "forget") for s in encode(e, tokenizer, max_length=500)]


@pytest.mark.parametrize("name", ["entities", "noun_chunks"])
@pytest.mark.parametrize(("method", "option"), [("undial", "focus"), ("dto", "selector")])
def test_without_spacy_it_says_so_before_anything_is_loaded(name, method, option, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "unteach.selectors.spacy_spans.find_spec", lambda n: None if n == "spacy" else found(n)
    )
    with pytest.raises(UserError, match="spaCy: is not installed") as caught:
        build(method, {option: name})
    assert "unteach[focus]" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.fixture
def spacy():
    return pytest.importorskip("spacy", exc_type=ImportError)


@pytest.fixture
def ruled(spacy, tmp_path):
    """A pipeline that knows two towns by heart."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "GPE", "pattern": town} for town in ("Höga berg", "Lund")])
    nlp.to_disk(tmp_path / "towns")
    return str(tmp_path / "towns")


@pytest.fixture
def parsed(spacy, tmp_path):
    """A pipeline with a parser of random weights: it parses, whatever it says."""
    nlp = spacy.blank("en")
    nlp.add_pipe("parser").add_label("nsubj")
    nlp.initialize()
    nlp.to_disk(tmp_path / "parser")
    return str(tmp_path / "parser")


def test_entities(ruled, tokenizer):
    texts = sequences(tokenizer)
    choices = list(selector_of("entities", {"pipeline": ruled}).choose(texts, None, 0))  # type: ignore[arg-type]
    said = tokenizer.decode([texts[0].ids[i] for i in sorted(choices[0].chosen)])
    assert said.split() == ["Höga", "berg", "Lund"]
    assert choices[1].chosen == frozenset()


def test_entities_of_a_focus(ruled, tokenizer):
    method = build("undial", {"focus": "entities", "pipeline": ruled})
    first, _ = method.choose(sequences(tokenizer), None, 0)  # type: ignore[arg-type]
    assert first.chosen


def test_noun_chunks_need_a_parser(ruled, tokenizer):
    chunks = selector_of("noun_chunks", {"pipeline": ruled})
    with pytest.raises(UserError, match=r"no part that fills in token\.dep") as caught:
        list(chunks.choose(sequences(tokenizer), None, 0))  # type: ignore[arg-type]
    assert "Lund" not in str(caught.value)


def test_noun_chunks_of_a_parser(parsed, tokenizer):
    chunks = selector_of("noun_chunks", {"pipeline": parsed})
    choices = list(chunks.choose(sequences(tokenizer), None, 0))  # type: ignore[arg-type]
    assert len(choices) == 2


def test_entities_need_a_part_that_finds_them(parsed, tokenizer):
    entities = selector_of("entities", {"pipeline": parsed})
    with pytest.raises(UserError, match=r"no part that fills in doc\.ents"):
        list(entities.choose(sequences(tokenizer), None, 0))  # type: ignore[arg-type]


def test_a_pipeline_that_is_not_there(spacy):
    with pytest.raises(UserError, match="no_such_pipeline: is not installed") as caught:
        build("dto", {"selector": "entities", "pipeline": "no_such_pipeline"})
    assert "spacy download" in str(caught.value)


def test_a_folder_that_is_no_pipeline(spacy, tmp_path, tokenizer):
    entities = selector_of("entities", {"pipeline": str(tmp_path)})
    with pytest.raises(UserError, match="does not load"):
        list(entities.choose(sequences(tokenizer), None, 0))  # type: ignore[arg-type]
