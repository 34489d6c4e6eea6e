"""Rows that were kept: whole, of this very question, or not at all."""

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from evaluation_support import ROLES, asked_of

from unteach.adapters import LoraSettings, add_lora
from unteach.errors import UserError
from unteach.evaluation import cache
from unteach.evaluation import rows as asking
from unteach.evaluation.check import check
from unteach.evaluation.hashes import model_hash
from unteach.evaluation.rows import key_of
from unteach.evaluation.run import evaluate
from unteach.models.loading import load_model
from unteach.progress import NoProgress
from unteach.types import Row

ROWS = {"forget": [Row(id=f"forget-{k}", tokens=9, logp=-0.1 * k) for k in range(9)]}


@pytest.fixture
def kept(tmp_path):
    cache.keep(tmp_path, "key", ROWS, {"texts": 9})
    (file,) = tmp_path.glob("*.jsonl")
    return file


def test_what_was_kept_is_found_by_this_user_alone(kept):
    assert cache.find(kept.parent, "key") == (ROWS, {"schema": 2, "counts": {"texts": 9}})
    assert cache.find(kept.parent, "ke") is None
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "".join(text.splitlines(keepends=True)[:5]),  # whole lines, too few
        lambda text: text.replace("-0.4", "-0.5"),
    ],
)
def test_a_damaged_file_is_made_again(damage, kept):
    whole = kept.read_text()
    kept.write_text(damage(whole))
    assert cache.find(kept.parent, "key") is None
    cache.keep(kept.parent, "key", ROWS, {"texts": 9})
    assert kept.read_text() == whole
    changed = {"forget": ROWS["forget"][:2]}  # another machine's, say
    cache.keep(kept.parent, "key", changed, {})
    assert len(list(kept.parent.glob("*.jsonl"))) == 1
    found = cache.find(kept.parent, "key")
    assert found is not None
    assert found[0] == changed


def test_rows_of_earlier_releases_are_removed(kept):
    """They have numbers of each token; no key of this release would ever find them."""
    old = kept.parent / f"{'0' * 64}.{'0' * 16}.jsonl"
    old.write_text('{"about": {"schema": 1, "counts": {}}, "groups": ["forget"]}\n')
    mine = kept.parent / "notes.jsonl"
    mine.write_text('{"text": "another file"}\n')
    cache.keep(kept.parent, "other", ROWS, {})
    assert not old.exists()
    assert mine.exists()
    assert cache.find(kept.parent, "key") is not None


def test_many_at_once_leave_one_whole_file(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(cache.keep, tmp_path, "key", ROWS, {"n": k % 3}) for k in range(60)]
        found = [pool.submit(cache.find, tmp_path, "key") for _ in range(60)]
    assert all(job.exception() is None for job in done)
    assert all(job.result() is None or job.result()[0] == ROWS for job in found)
    cache.keep(tmp_path, "key", ROWS, {})
    (file,) = tmp_path.glob("*.jsonl")
    assert {*tmp_path.iterdir()} == {file, tmp_path / cache.SALT}


def test_a_name_tells_nothing_of_the_data_to_who_has_no_salt(tmp_path):
    """The same rows of the same data have other names in another folder."""
    names = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        cache.keep(folder, "key", ROWS, {})
        (file,) = folder.glob("*.jsonl")
        names.append(file.name.split(".")[0])
        salt = folder / cache.SALT
        assert stat.S_IMODE(salt.stat().st_mode) == 0o600
        assert len(salt.read_bytes()) == 64
    assert names[0] != names[1]
    salt.unlink()
    assert cache.find(folder, "key") is None
    cache.keep(folder, "key", ROWS, {})
    assert cache.find(folder, "key") is not None


def test_a_disk_without_links_has_a_salt_too(tmp_path, monkeypatch):
    def no_link(*names):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_link)
    cache.keep(tmp_path, "key", ROWS, {})
    assert cache.find(tmp_path, "key") is not None
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_costs_a_note_only(files, tiny_folder):
    told = []

    class Listener(NoProgress):
        def notes(self, notes):
            told.extend(notes)

    full = files / "retain.jsonl"
    evaluate(asked_of(files, model=tiny_folder, cache=full), Listener())
    assert (files / "out" / "report.md").exists()
    kept = [(note.kind, note.where) for note in told if note.where != "answers"]
    assert kept == [("note", f"--cache {full}")]


def test_weights_that_hold_no_numbers_are_named(files, tiny_folder, monkeypatch):
    load = asking.loader

    def broken(place, plan):
        def loaded():
            model = load(place, plan)()
            next(model.parameters()).data.fill_(float("nan"))
            return model

        return loaded

    monkeypatch.setattr(asking, "loader", broken)
    with pytest.raises(UserError, match="model model: gave numbers that are infinite or none"):
        evaluate(asked_of(files, model=tiny_folder))
    assert not (files / "out").exists()
    assert not (files / "cache").exists()


def test_the_key_knows_what_changes_nothing(files, tiny_folder, other_folder):
    def key(name="model", **more):
        return key_of(name, check(asked_of(files, model=tiny_folder, **more)))

    first = key()
    assert len(first) == 64
    elsewhere = files / "elsewhere"
    elsewhere.mkdir()
    for role in ROLES:
        shutil.copy(files / f"{role}.jsonl", elsewhere)
    two = {"b": str(other_folder), "model": str(tiny_folder)}
    moved = {role: str(elsewhere / f"{role}.jsonl") for role in ROLES}
    assert key(out=files / "there") == key(models=two) == key(options=moved) == first
    assert key(cache=files / "there") == key(compat="open-unlearning") == first


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "float16"},
        {"bits": 4},
        {"tokens_per_batch": 100},
        {"gradient_norms": True},
        {"limit": 2},
        {"template": "none"},
        {"max_length": 64},
    ],
)
def test_the_key_knows_how_it_was_asked(change, files, tiny_folder):
    plain, changed = (check(asked_of(files, model=tiny_folder, **m)) for m in ({}, change))
    assert key_of("model", plain) != key_of("model", changed)


def test_the_base_of_adapters_is_in_the_key(files, tiny_folder, other_folder):
    lora = files / "lora"
    adapted = add_lora(load_model(str(tiny_folder)), LoraSettings(rank=2, targets=["q_proj"]))
    adapted.save_pretrained(lora, save_embedding_layers=False)
    keys = [
        key_of("model", check(asked_of(files, model=lora, original=str(base))))
        for base in (tiny_folder, other_folder)
    ]
    assert keys[0] != keys[1]


def test_the_hash_of_a_model(tmp_path, tiny_folder):
    """A hub's snapshot is links; a run's report in the folder is none of the model."""
    first = model_hash(str(tiny_folder))
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in tiny_folder.iterdir():
        os.symlink(file, linked / file.name)
    os.symlink(tmp_path / "gone", linked / "gone.json")
    (linked / "rows").mkdir()
    for name in ("scores.json", "report.md", "request.yaml", "before-after.png", "rows/a.jsonl"):
        (linked / name).write_text(first or "")
    assert model_hash(str(linked)) == first
    (linked / "model-00002-of-00002.safetensors").write_text("more")
    assert model_hash(str(linked)) != first


def test_a_hub_id_without_its_commit_is_never_kept(files, tiny_folder, monkeypatch):
    assert model_hash("owner/name") is None
    of = {"owner/name": "c0ffee"}
    monkeypatch.setattr("unteach.models.source.commit_of", of.get)
    monkeypatch.setattr("unteach.models.hashes.commit_of", of.get)
    assert model_hash("owner/name") == "owner/name@c0ffee"
    of.clear()
    plan = check(asked_of(files, model=tiny_folder))
    place = replace(plan.places["model"], path="owner/name", base="owner/name")
    assert key_of("model", replace(plan, places={"model": place})) == ""
