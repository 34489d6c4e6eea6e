"""Requests from files, flags and settings."""

import pytest
import yaml

from unteach.errors import UserError
from unteach.settings.request import Request, load

NEEDED = {"model": "m", "forget": "f.jsonl", "out": "o"}


def test_flags_are_enough():
    request = load(flags=NEEDED)
    assert request.method_name == "auto"
    assert request.method_options == {}


def test_settings_override_flags_and_flags_override_the_file(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("model: a\nforget: b\nout: c\nmethod: npo\ntrain: {epochs: 3, batch: 4}\n")
    request = load(file, {"model": "flag", "method": "undial"}, ["train.epochs=5", "out=set"])
    assert (request.model, request.forget, str(request.out)) == ("flag", "b", "set")
    assert request.method_name == "undial"
    assert (request.train.epochs, request.train.batch_size) == (5, 4)


def test_method_options_survive_a_short_name(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("model: a\nforget: b\nout: c\nmethod: npo\n")
    assert load(file, sets=["method.beta=1e-2"]).method == {"name": "npo", "beta": 0.01}


def test_a_written_request_reads_back_the_same(tmp_path):
    request = load(flags=NEEDED, sets=["train.learning_rate=1e-5", "adapter.kind=lora"])
    file = tmp_path / "request.yaml"
    file.write_text(request.to_yaml())
    assert load(file) == request


@pytest.mark.parametrize(("sets", "message"), [
    (["train.learning_rat=1"], 'Did you mean "learning_rate"'),
    (["trian.epochs=1"], 'Did you mean "train"'),
    (["train.epochs=-1"], r"train.epochs: got -1\n.*greater than 0"),
    (["train.retain=nil"], "'none', 'nll', 'kl', 'jsd' or 'hidden'"),
    (["train.epochs"], "write --set section.name=value"),
    (["train.epochs=[1"], "is not YAML"),
    (["beta=1"], 'hint: An option of the method is "method.beta"'),
    (["epochs=1"], 'hint: Did you mean "train.epochs"'),
    (["adapter.rank=x"], "adapter.rank: got 'x'"),
])  # fmt: skip
def test_bad_settings_are_explained(sets, message):
    with pytest.raises(UserError, match=message) as caught:
        load(flags=NEEDED, sets=sets)
    assert caught.value.exit_code == 2


def test_everything_missing_is_said_at_once():
    with pytest.raises(UserError) as caught:
        load()
    assert [p.where for p in caught.value.problems] == ["--model", "--forget", "--out"]


@pytest.mark.parametrize(("text", "message"), [("- a\n", "not a mapping"), ("a: [", "not YAML")])
def test_bad_files_are_explained(tmp_path, text, message):
    file = tmp_path / "request.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        load(file)


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_nothing_changes_once_made():
    with pytest.raises(Exception, match="frozen"):
        Request(**NEEDED).model = "other"  # type: ignore[misc]


def test_flags_of_a_section_reach_it():
    flags = {"model": "m", "forget": "f", "out": "o", "method": "npo", "init": "fila", "sam": 0.01}
    request = load(flags=flags)
    assert (request.method_name, request.adapter.init, request.train.sam) == ("npo", "fila", 0.01)


OLD = {
    "batch": ("batch_size", 4),
    "accumulation": ("gradient_accumulation_steps", 2),
    "schedule": ("lr_scheduler_type", "cosine"),
    "warmup": ("warmup_ratio", 0.5),
    "checkpointing": ("gradient_checkpointing", True),
}


@pytest.mark.parametrize("old", OLD)
def test_old_names_are_taken_with_a_note(old, tmp_path):
    """From a file and from --set; a new name on the command line wins over an old one in a file."""
    new, value = OLD[old]
    file = tmp_path / "request.yaml"
    given = {"model": "m", "forget": "f.jsonl", "out": "o"}
    file.write_text(yaml.safe_dump({**given, "train": {old: value}}))
    for request in (load(file), load(flags=given, sets=[f"train.{old}={value}"])):
        assert getattr(request.train, new) == value
        (note,) = request.notes
        assert note.kind == "note"
        assert (note.where, note.what) == (f"train.{old}", f"is called train.{new} now")
        assert old not in request.model_dump()["train"]
    default = getattr(load(flags=given).train, new)
    over = load(file, sets=[f"train.{new}={default}"])
    assert getattr(over.train, new) == default
    assert load(flags=given).notes == ()


def test_an_old_name_beside_its_new_one_is_refused(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("{model: m, forget: f, out: o, train: {batch: 2, batch_size: 4}}")
    with pytest.raises(UserError, match="train: holds a name that is no setting"):
        load(file)


@pytest.mark.parametrize(("given", "meant"), [
    ("train.report_to=tensorboard,wandb", ["tensorboard", "wandb"]),
    ("train.report_to=[mlflow]", ["mlflow"]),
    ("train.extra.report_to=wandb", ["wandb"]),
    ("train.extra.report_to=[none]", []),
    ('train.extra={"report_to": "none", "bf16": false}', []),
    ("train.epochs=2", []),
])  # fmt: skip
def test_trackers_have_their_own_setting_and_the_old_place_is_read_with_a_note(given, meant):
    request = load(flags=NEEDED, sets=[given])
    assert request.train.report_to == meant
    assert "report_to" not in request.train.extra
    assert [str(note.where) for note in request.notes] == (
        ["train.extra.report_to"] if "extra" in given else []
    )


def test_the_old_place_in_a_file_is_read_too_and_both_at_once_are_left(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("model: a\nforget: b\nout: c\ntrain: {extra: {report_to: wandb}}\n")
    request = load(file)
    assert request.train.report_to == ["wandb"]
    assert [note.where for note in request.notes] == ["train.extra.report_to"]
    both = "train: {report_to: [], extra: {report_to: wandb}}\n"
    file.write_text(f"model: a\nforget: b\nout: c\n{both}")
    assert load(file).train.extra == {"report_to": "wandb"}  # `check` says which to use
