"""Which models are put in shards, and where the others are."""

import pytest

from unteach.evaluation.loading import load


@pytest.fixture
def loaded(monkeypatch):
    """What becomes of a model: in how many bits, on its device, in shards."""
    monkeypatch.setattr(
        "unteach.models.loading.load_model",
        lambda base, *, bits, placed, **_: (bits, placed, False),
    )
    monkeypatch.setattr("unteach.models.finite.require_numbers", lambda model, where: None)
    monkeypatch.setattr("unteach.sharding.fsdp.shard_model", lambda model: (*model[:2], True))

    def of(**options):
        given = {"dtype": "auto", "device": "cpu", "bits": None, "trust_remote_code": False}
        return load("here", "here", **(given | options))

    return of


def test_without_a_launcher_a_model_is_whole_and_on_its_device(loaded):
    assert loaded() == (None, True, False)


def test_under_fsdp_it_goes_from_the_machine_s_memory_into_shards(loaded, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert loaded() == (None, False, True)


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
@pytest.mark.parametrize("options", [{"bits": 4}, {"whole": True}])
def test_in_four_bits_or_where_it_must_be_it_stays_whole(kind, options, loaded, monkeypatch):
    monkeypatch.setenv(f"ACCELERATE_USE_{kind}", "true")
    assert loaded(**options) == (options.get("bits"), True, False)


def test_under_deepspeed_it_stays_whole(loaded, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert loaded() == (None, True, False)
