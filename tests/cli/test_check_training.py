"""How training was asked for wrongly, by the message that a user reads."""

import pytest
from cli.small import arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [("report_to", "wandb"), ("report_to", "trackio,wandb"), ("extra.deepspeed", "nowhere.json")],
)
def test_packages_that_are_not_installed(name, value, call, files, tiny_folder, monkeypatch):
    from transformers.integrations import integration_utils as integrations

    monkeypatch.setattr(integrations, "is_wandb_available", lambda: False)
    monkeypatch.setattr("unteach.checks.training.find_spec", lambda name: None)
    sets = {"set": f"train.{name}={value}"}
    code, _, err = call("check", *arguments(files, tiny_folder, **sets))
    assert code == 2
    assert f"train.{name}: " in err
    assert "not installed" in err or "requires wandb to be installed" in err


def test_a_configuration_of_deepspeed_that_is_not_there(call, files, tiny_folder, monkeypatch):
    monkeypatch.setattr("unteach.checks.training.find_spec", lambda name: object())
    sets = {"set": "train.extra.deepspeed=nowhere.json"}
    code, _, err = call("check", *arguments(files, tiny_folder, **sets))
    assert code == 2
    assert "train.extra.deepspeed: there is no such file" in err


@pytest.mark.parametrize("setting", ["rank=8", "alpha=3", "dropout=0.1", "targets=[q_prj]"])
def test_settings_of_adapters_without_adapters_are_noted(setting, call, files, tiny_folder):
    name = setting.split("=")[0]
    given = {"set": f"adapter.{setting}", "method": "npo"}
    code, _, err = call("check", *arguments(files, tiny_folder, **given))
    assert code == 0
    assert f"note adapter.{name}: all weights are trained, so there are no adapters" in err


def test_a_request_that_was_written_has_no_settings_of_adapters(tmp_path, tiny_folder):
    from transformers import AutoConfig, AutoTokenizer

    from unteach.checks.defaults import resolve
    from unteach.methods import build
    from unteach.settings.request import Request

    own = AutoConfig.from_pretrained(tiny_folder), AutoTokenizer.from_pretrained(tiny_folder)
    request = Request(model="m", forget="f", out=tmp_path, retain="r")
    once, _ = resolve(request, build("npo", {}), *own)
    assert once.adapter.kind == "full"
    assert resolve(once, build("npo", {}), *own)[1] == []
