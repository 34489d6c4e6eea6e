"""MUSE: its groups, its prompts, its files, and what is wrong with them."""

import json

import pytest

from unteach.data import encode, question
from unteach.errors import UserError
from unteach.suites import muse
from unteach.suites._base import SUITES, until

READ = SUITES.get("muse").read
ASKED = {"question": "Where was Ada born?", "answer": "Lund"}
SHOWN = [{"question": "Who eats?", "answer": "Ben"}, {"question": "When?", "answer": "At noon"}]
PROMPT = (
    "Question: Who eats?\nAnswer: Ben\n\n"
    "Question: When?\nAnswer: At noon\n\n"
    "Question: Where was Ada born?\nAnswer: "
)
CONTENT = {
    "privleak/forget": ["a text that was seen", "another one"],
    "privleak/retain": ["a text that was kept"],
    "privleak/holdout": ["a text that was never seen"],
    "verbmem/forget": [{"prompt": "The river runs", "gt": " north; nobody knows why."}],
    "knowmem/forget_qa": [ASKED],
    "knowmem/forget_qa_icl": SHOWN,
    "knowmem/retain_qa": [ASKED, ASKED],
    "knowmem/retain_qa_icl": SHOWN[:1],
}
ONCE = {"forget": 2, "retain": 1, "holdout": 1, "verbmem": 1, "knowmem": 1, "knowmem_retain": 2}
LAYOUTS = {
    "its own": lambda name: f"{name}.json",
    "of the repository": lambda name: f"data/bbc/{name}.json",
    "of an older repository": lambda name: f"data/bbc/{name.replace('retain', 'retain2')}.json",
    "of the corpora": lambda name: f"news/{name}.json",
    "flat": lambda name: f"{name.replace('/', '_')}.json",
    "samples": lambda name: f"sample_{name.replace('/', '_').replace('retain', 'retain2')}.json",
}


def write(folder, name, content):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def write_all(folder, layout="its own"):
    for name, content in CONTENT.items():
        write(folder, LAYOUTS[layout](name), content)
    return folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_groups(tmp_path, layout):
    groups = READ(write_all(tmp_path, layout), {})
    assert {name: len(group.examples) for name, group in groups.items()} == ONCE
    assert groups["knowmem"].examples[0].turns[0].text == PROMPT


def test_each_corpus_has_its_folder(tmp_path):
    write_all(tmp_path / "data" / "bbc")
    write_all(tmp_path / "data" / "books")
    write(tmp_path, "data/books/privleak/holdout.json", ["one", "two", "three"])
    assert len(READ(tmp_path, {})["holdout"].examples) == 1
    assert len(READ(tmp_path, {"corpus": "books"})["holdout"].examples) == 3


def test_how_each_group_is_asked(tmp_path):
    groups = READ(write_all(tmp_path), {})
    assert {group.template for group in groups.values()} == {"none"}
    assert not any(group.stemmed for group in groups.values())
    assert all(group.score for group in groups.values())
    for name in ("forget", "retain", "holdout"):
        assert not groups[name].generate
        assert groups[name].examples[0].text == CONTENT[f"privleak/{name}"][0]
    verbmem = groups["verbmem"]
    assert (verbmem.generate, verbmem.new_tokens, verbmem.compared) == (True, 128, 128)
    for name in ("knowmem", "knowmem_retain"):
        assert (groups[name].new_tokens, groups[name].compared) == (32, None)
        assert groups[name].stop == ("\n\n", "\nQuestion", "Question:")


def test_the_answer_ends_before_the_next_question_as_in_muses_code():
    def by_hand(said):
        for text in ("\n\n", "\nQuestion", "Question:"):
            said = said.split(text)[0]
        return said

    for said in (
        "Lund",
        "Lund\n\nQuestion: Who?",
        "Lund\nQuestion: Who?\nAnswer: Ben",
        "Lund Question: Who?\n\nBen",
        "Question: Who?",
        "Lund\nin the north",
        "",
    ):
        assert until(said, muse.STOP) == by_hand(said)
    assert until("Lund\n\nBen", ()) == "Lund\n\nBen"


def test_a_question_stands_behind_the_answered_ones_and_nothing_follows_its_answer(
    tmp_path, tokenizer
):
    (example,) = READ(write_all(tmp_path), {})["knowmem"].examples
    (sequence,) = encode(example, tokenizer, max_length=512, template="none")
    assert sequence.text == PROMPT + "Lund"
    assert tokenizer.eos_token_id not in sequence.ids
    asked, expected, _ = question(example, tokenizer, max_length=512, template="none")
    assert tokenizer.decode(asked).rstrip(" ") == PROMPT.rstrip(" ")  # the blank may join "Lund"
    assert expected == "Lund"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("The river runs", "north; nobody knows why."),  # as in MUSE's files
        ("The river runs", " north; nobody knows why."),
        ("The river runs ", "north; nobody knows why."),
    ],
)
def test_the_text_of_verbmem_goes_on_with_one_blank(tmp_path, tokenizer, prompt, answer):
    write_all(tmp_path)
    write(tmp_path, "verbmem/forget.json", [{"prompt": prompt, "gt": answer}])
    (example,) = READ(tmp_path, {})["verbmem"].examples
    assert example.turns[0].text == prompt
    (sequence,) = encode(example, tokenizer, max_length=512, template="none")
    assert sequence.text == "The river runs north; nobody knows why."


@pytest.mark.parametrize(
    ("protocol", "config"), [("scalability", "scal"), ("sustainability", "sust")]
)
def test_a_protocols_request_is_its_raw_corpus(tmp_path, protocol, config):
    write_all(tmp_path)
    for k in (1, 2):
        write(tmp_path, f"{config}/forget_{k}.json", [f"text {j} of {k}" for j in range(k + 2)])
    groups = READ(tmp_path, {"protocol": protocol, "request": "2"})
    assert set(groups) == set(ONCE) - {"holdout"}
    assert [e.text for e in groups["forget"].examples] == [f"text {j} of 2" for j in range(4)]
    assert not groups["forget"].generate
    assert groups["knowmem_retain"].examples == READ(tmp_path, {})["knowmem_retain"].examples


def test_a_request_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        READ(write_all(tmp_path), {"protocol": "sustainability", "request": "4"})
    (problem,) = caught.value.problems
    assert problem.what.startswith("holds no sust/forget_4 ")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"corpus": "books", "protocol": "scalability"}, "suite muse, option protocol"),
        ({"request": "2"}, "suite muse, option request"),
        ({"corpus": "film"}, "suite muse, option corpus"),
        ({"protocol": "sustainability", "request": "5"}, "suite muse, option request"),
    ],
)
def test_options_that_do_not_go(tmp_path, options, where):
    with pytest.raises(UserError) as caught:
        READ(write_all(tmp_path), options)
    (problem,) = caught.value.problems
    assert (problem.where, problem.kind) == (where, "request")


def test_every_missing_file_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        READ(tmp_path, {"corpus": "books"})
    problems = caught.value.problems
    assert [p.what.split()[2] for p in problems] == list(CONTENT)
    assert all("muse-bench/MUSE-Books:" in problem.hint for problem in problems)


def test_a_file_of_another_form_is_refused(tmp_path):
    write_all(tmp_path)
    write(tmp_path, "privleak/forget.json", [ASKED])
    write(tmp_path, "verbmem/forget.json", ["a text"])
    write(tmp_path, "knowmem/forget_qa.json", ["a text"])
    with pytest.raises(UserError) as caught:
        READ(tmp_path, {})
    assert [problem.what for problem in caught.value.problems] == [
        "is no raw text, or prompt and gt",
        "has no prompt and gt",
        "is no question and answer",
    ]


def test_without_the_hub_every_file_is_named(monkeypatch):
    import datasets

    def load(*args, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(UserError) as caught:
        READ(None, {"protocol": "scalability", "request": "3"})
    wanted = [p.where.split(":", 1)[1].split("@")[0] for p in caught.value.problems]
    assert wanted[0] == "scal:forget_3"
    assert len(wanted) == 7


def test_the_revisions_are_commits():
    for _, revision, _ in muse.CORPORA.values():
        assert len(revision) == 40
        assert set(revision) <= set("0123456789abcdef")


def test_the_real_samples(shared_data):
    groups = READ(shared_data / "muse", {})
    assert {name: len(group.examples) for name, group in groups.items()} == dict.fromkeys(ONCE, 3)
    folder = shared_data / "muse"
    for group, role in (("knowmem", "forget"), ("knowmem_retain", "retain2")):
        shown = json.loads((folder / f"sample_knowmem_{role}_qa_icl.json").read_text("utf-8"))
        asked = json.loads((folder / f"sample_knowmem_{role}_qa.json").read_text("utf-8"))
        before = "".join(f"Question: {s['question']}\nAnswer: {s['answer']}\n\n" for s in shown)
        for example, one in zip(groups[group].examples, asked, strict=True):
            prompt, answer = example.turns
            assert prompt.text == before + f"Question: {one['question']}\nAnswer: "
            assert answer.text == one["answer"]
