"""Data in the place of a request: nothing of it is said."""

import json

import pytest

from unteach.errors import UserError
from unteach.settings.messages import is_text, named, told
from unteach.settings.request import load

SECRETS = ("zanzibar", "quux", "zed")
ROW = {"question": "Where was Zed Quux born?", "answer": "zanzibar"}
FILES = {
    "records.json": json.dumps([ROW]),
    "one.json": json.dumps(ROW),
    "names.json": json.dumps({"Zed Quux": ROW, "zanzibar": ["quux"]}),
    "lower.yaml": "zed: 1\nquux: zanzibar\n",
    "texts as keys.yaml": "Where was Zed Quux born?: In Zanzibar.\n",
    "in a section.yaml": "train: {zanzibar: quux}\ndata: {zed quux: 1}\nadapter: [zanzibar]\n",
    "as values.yaml": (
        "train: {epochs: zanzibar, retain: quux zed, batch: [zed], schedule: zed quux}\n"
        "adapter: zanzibar quux\nevaluate: {also: {zed quux: 3, zanzibar: [quux]}}\n"
    ),
    "as files.yaml": (
        "model: Zed Quux was born in Zanzibar\nforget: Where was Zed Quux born?\nout: o\n"
        "retain: |\n  zed\n  quux\ndevice: zed quux\ntrain: {optim: zed quux}\n"
        "evaluate: {also: {a: 'Zed Quux was in Zanzibar'}}\nplugins: ['Who is Zed? Quux']\n"
    ),
    "records.yaml": "model: m\nout: o\nforget:\n  - question: Zed Quux?\n    answer: zanzibar\n",
    "extra.yaml": "model: m\nout: o\nforget: f\ntrain: {extra: {zed quux: zanzibar}}\n",
    "torn.yaml": '"zanzibar quux\n',
    "tagged.yaml": "!zanzibar!quux zed\n",
    "directive.yaml": "%zanzibar quux\n",
    "alias.yaml": "x: *zanzibar\n",
    "twice.yaml": "zanzibar: 1\nzanzibar: 2\n",
}


def said(file, flags, sets=None):
    with pytest.raises(UserError) as caught:
        load(file, flags, sets)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_a_file_is_said(name, tmp_path):
    file = tmp_path / name.replace(" ", "-")
    file.write_text(FILES[name])
    text = said(file, {"model": "m", "forget": "f"} if name == "lower.yaml" else {})
    text = text.replace(str(file), "FILE").lower()
    assert not any(secret in text for secret in SECRETS), text


def test_what_is_there_is_counted_and_what_to_do_is_said(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(FILES["names.json"])
    text = said(file, {})
    assert f"{file}: holds 2 names that are no setting" in text
    assert "Data goes to --forget FILE" in text


def test_near_misses_of_settings_are_still_named(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("trian: {}\ntrain: {epoch: 3, retain: nll2}\nmodel: m\nforget: f\nout: o\n")
    text = said(file, {})
    assert 'trian: is not a setting\n    hint: Did you mean "train"?' in text
    assert 'train.epoch: is not a setting\n    hint: Did you mean "epochs"?' in text
    assert "train.retain: got 'nll2'" in text


@pytest.mark.parametrize(
    "setting",
    [
        "Zed Quux was born in Zanzibar",
        "zed quux=1",
        "train.epochs=zanzibar quux",
        "train.retain=zanzibar",
        "train={zed quux: zanzibar}",
        "forget=Where was Zed Quux born?",
        "model=[zed, quux]",
        "out={zanzibar: quux}",
    ],
)
def test_nothing_of_a_setting_is_said(setting):
    text = said(None, {"model": "m", "forget": "f", "out": "o"}, [setting]).lower()
    assert not any(secret in text for secret in SECRETS), text


@pytest.mark.parametrize(
    "options",
    [{"zed quux": 1}, {"Zanzibar": 1}, {"beta": "zanzibar"}, {"beta": ["quux"]}],
)
def test_nothing_of_a_methods_options_is_said(options):
    from unteach.methods import build

    with pytest.raises(UserError) as caught:
        build("npo", options)
    assert not any(secret in str(caught.value).lower() for secret in SECRETS)
    with pytest.raises(UserError) as caught:
        build("Zed Quux was born", {})
    assert "Zed" not in str(caught.value)


def test_what_is_no_text_is_said():
    assert (told(3), told(1e-5), told(True), told("1,5")) == ("3", "1e-05", "True", "'1,5'")
    assert named("nppo") == '"nppo"'
    for path in ("my forget data v2.jsonl", "/data/a b c d/e", "owner/name", "~/a b c d", "f"):
        assert not is_text(path), path
