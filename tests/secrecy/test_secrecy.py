"""No text or token id of the data in anything that is written, said or left behind."""

import sys
from pathlib import Path

import pytest
from secrecy.leaks import leaks, leaks_under
from secrecy.tree import Tree, cases

import unteach

FAILED = {"interrupt": 130, "term": 143, "nan": 1, "overlap": 1, "broken": 2, "tracked": 2}


@pytest.fixture(scope="module")
def tree(tmp_path_factory, tiny_folder, tokenizer):
    return Tree(tmp_path_factory.mktemp("secrecy"), tiny_folder, tokenizer)


@pytest.fixture(scope="module")
def alone(tree):
    """The main job as a user starts it: exit code, output, words."""
    return tree.call("alone", "-m", "unteach", *tree.run(out="alone"))


@pytest.fixture(scope="module")
def codes(tree):
    """The exit status of every case."""
    return tree.call_all(cases(tree))


def events(tree, name):
    lines = (tree.root / f"{name}.audit").read_text().splitlines()
    return [line.split(" ", 1) for line in lines]


def elsewhere(tree, name):
    """What was opened to be written outside the folders that a command may write to."""
    opened = [where for event, where in events(tree, name) if event == "open"]
    assert any("report.md" in where for where in opened)
    return [w for w in opened if w.startswith("/") and str(tree.folder) not in w and not allowed(w)]


def allowed(where):
    """Nowhere; and Python's own code, as it is compiled when a module is first imported."""
    code = (str(Path(unteach.__file__).parents[1]), sys.prefix, sys.base_prefix)
    return where == "/dev/null" or ("__pycache__" in where and where.startswith(code))


def said(tree, name):
    return "".join((tree.folder / "said" / f"{name}.{k}").read_text() for k in ("out", "err"))


def test_the_data_holds_every_canary_as_text_and_as_ids(tree, tokenizer):
    """Else nothing could be found anywhere."""
    files = [f.read_bytes() for f in (tree.root / "data").glob("*.*") if f.suffix != ".parquet"]
    text = b"".join(files).decode(errors="replace")
    ids = str(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]).encode()
    assert len(tree.aviary.canaries) > 25
    for bird in tree.aviary.canaries:
        if "columns" not in bird.word.lower():
            assert leaks(text.encode(), bird), bird.word
            assert leaks(ids, bird) == ["ids as text"], bird.word


def test_nothing_leaks_from_the_main_job(alone, tree):
    code, _, err = alone
    assert code == 0, err
    assert (tree.folder / "cwd" / "alone" / "report.md").exists()
    assert (tree.folder / "cwd" / "alone" / "report.html").exists()
    assert leaks_under(tree.folder, tree.aviary.canaries) == []


def test_it_writes_into_its_folders_alone_and_connects_to_nothing(alone, tree):
    assert elsewhere(tree, "alone") == []
    assert {event for event, _ in events(tree, "alone")} == {"open"}  # no socket, no tracker


@pytest.mark.slow
def test_nothing_leaks_from_what_goes_well_or_wrong_or_is_killed(codes, tree):
    wanted = dict.fromkeys(codes, 0) | FAILED
    wanted |= {name: -9 for name in codes if name.startswith("kill")}
    wanted |= {name: 2 for name in codes if name.startswith(("request", "rows"))}
    faults = ("error", "plugin", "memory", "allocator", "evaluate-error")
    wanted |= {name: 1 for name in codes if name.startswith(faults)}
    assert codes == wanted
    assert leaks_under(tree.folder, tree.aviary.canaries) == []


@pytest.mark.slow
def test_none_of_them_connects_or_uses_a_tracker_unasked(codes, tree):
    assert elsewhere(tree, "all") == []
    assert {event for event, _ in events(tree, "all")} == {"open", "used"}
    used = {what.split(".")[0] for event, what in events(tree, "all") if event == "used"}
    assert used == {"wandb"}  # one of them asked for it


@pytest.mark.slow
@pytest.mark.parametrize("name", ["error-model", "error-step", "evaluate-error"])
def test_a_bug_is_told_by_its_place_and_kind(name, codes, tree):
    told = said(tree, name)
    for part in ("command.py:", " in chained", "KeyError", "which led to:", "ExceptionGroup",
                 "OSError: No space left on device", "UNTEACH_DEBUG=1", "report"):  # fmt: skip
        assert part in told, part
    assert "Traceback" not in told


@pytest.mark.slow
def test_chatter_of_libraries_is_told_by_its_place(codes, tree):
    told = said(tree, "chatter")
    for part in ("UserWarning at ", "logged at ", "a thread failed:", "a clean-up failed:"):
        assert part in told, part
    assert "core dumps of 0 bytes" in told
    assert "too little" in said(tree, "memory")
    assert "too little" in said(tree, "allocator")


@pytest.mark.slow
def test_a_plugin_is_told_with_its_line(codes, tree):
    for how in ("AttributeError", "KeyError", "TypeError"):
        assert f"telling.forget fails with {how} (line 2" in said(tree, f"plugin-{how}")


def test_all_is_shown_to_who_asks_for_it(tree, call, monkeypatch):
    """The search sees a leak that the command makes, so that the tests above can fail."""
    from unteach import pipeline

    bird = tree.aviary.canaries[0]

    def fails(*args):
        raise ValueError(f"cannot read {bird.word} {list(bird.ids)}")

    monkeypatch.setattr(pipeline, "check", fails)
    flags = ("run", "--model", "m", "--forget", "f", "--out", "o")
    code, _, err = call(*flags)
    assert code == 1
    assert leaks(err.encode(), bird) == []
    monkeypatch.setenv("UNTEACH_DEBUG", "1")
    with pytest.raises(ValueError, match="cannot read") as error:
        call(*flags)
    assert leaks(str(error.value).encode(), bird) == ["text", "ids as text"]


def test_explain_shows_the_answers_and_writes_none(tree, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tree.aviary.path("forget.jsonl")
    options = ("--method", "dto", "--set", "method.selector=spans")
    code, out, err = call("explain", "--model", tree.model, "--forget", data, *options)
    assert code == 0, err
    (mark,) = [bird for bird in tree.aviary.canaries if "Forgetmark" in bird.word]
    assert "text" in leaks(out.encode(), mark)
    assert leaks(err.encode(), mark) == []
    assert list(tmp_path.iterdir()) == []
