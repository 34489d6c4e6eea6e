"""`unteach size`, as users call it."""

import json

import pytest
from typer.testing import CliRunner

from unteach.cli import app
from unteach.errors import UserError


def asked(*arguments: str):
    found = CliRunner().invoke(app, ["size", *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def refused(*arguments: str):
    with pytest.raises(UserError) as error:
        CliRunner().invoke(app, ["size", *arguments], catch_exceptions=False)
    return error.value.problems


def test_a_folder_and_its_config_have_one_size(tiny_folder):
    arguments = ("--length", "32", "--json", "--set", "device=cpu")
    one, other = (
        json.loads(asked("--model", str(path), *arguments))
        for path in (tiny_folder, tiny_folder / "config.json")
    )
    assert one["moments"] == other["moments"]
    assert one["peak"]["bytes"] == max(sum(m.values()) for m in one["moments"].values())


def test_a_table_with_what_makes_it_fit(tiny_folder):
    table = asked("--model", str(tiny_folder), "--length", "64", "--examples", "2",
                  "--device-memory", "3MB")  # fmt: skip
    for said in ("weights", "optimiser state", "activations", "total", "what makes it fit"):
        assert said in table


def test_flags_settings_and_file_make_one_request(tiny_folder, tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text(
        f"model: {tiny_folder}\nforget: f.jsonl\nretain: r.jsonl\nout: o\nmethod: npo\n"
        "adapter: {kind: lora, rank: 4}\ntrain: {batch: 2, accumulation: 3}\n"
    )
    found = json.loads(asked(str(file), "--length", "32", "--json"))
    flags = json.loads(asked(
        "--model", str(tiny_folder), "--method", "npo", "--adapter", "lora", "--rank", "4",
        "--batch", "2", "--accumulation", "3", "--length", "32", "--json",
    ))  # fmt: skip
    assert found == flags
    assert "LoRA of rank 4" in found["title"]
    assert "2 x 3 forget texts" in found["title"]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("--model", "lama-70b"), "--model lama-70b"),
        (("--model", "llama-1b", "--device-memory", "much"), "--device-memory much"),
        (("--model", "llama-1b", "--processes", "2", "--sharding", "fdsp"), "--sharding"),
        (("--model", "llama-1b", "--bits", "4", "--adapter", "full"), "adapter.bits"),
        (("--model", "llama-1b", "--method", "npoo"), "method"),
    ],
)
def test_what_is_wrong_is_said(arguments, where):
    assert [p.where for p in refused(*arguments)] == [where]


def test_a_broken_config_is_said(tmp_path):
    file = tmp_path / "config.json"
    for text in ("{", "[]", '{"model_type": "nothing-known"}', '{"model_type": "clip"}'):
        file.write_text(text)
        (problem,) = refused("--model", str(file))
        assert problem.where == f"--model {file}"


def test_lengths_are_those_of_the_data(tiny_folder, tmp_path):
    """The longest text decides, and nothing of it is shown."""
    for name, words in (("forget", 3), ("retain", 9)):
        rows = [{"question": "Who?", "answer": "so " * k} for k in range(1, words)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)
    model, forget = ("--model", str(tiny_folder)), ("--forget", str(tmp_path / "forget.jsonl"))
    titles = [
        json.loads(asked(*model, *given, "--json"))["title"]
        for given in (forget, (*forget, "--retain", str(tmp_path / "retain.jsonl")))
    ]
    short, long = (int(title.split(" forget texts of ")[1].split()[0]) for title in titles)
    assert 0 < short < long < 512
    assert "texts of 16 tokens" in asked(*model, *forget, "--length", "16")
    (problem,) = refused("--model", "llama-1b", *forget)
    assert "has no tokenizer" in problem.what
    (problem,) = refused(*model, "--forget", str(tmp_path / "none.jsonl"))
    assert problem.what == "does not exist"


SAID = {
    "an attention that is not here": ({"attn_implementation": "flash_attention_2"}, "attn"),
    "no such activation": ({"hidden_act": "silo"}, "config.json builds no model"),
    "quantised": (
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        "is quantised already (gptq), so its weights are not trained",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_a_model_that_check_refuses(case, call, tmp_path, tiny_folder):
    import shutil

    changes, message = SAID[case]
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    code, _, err = call("size", "--model", folder, "--method", "npo")
    assert code == 2
    assert message in err
    assert f"--model {folder}" in err


def test_a_file_of_llama_cpp(call, tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    code, _, err = call("size", "--model", tmp_path / "x.gguf", "--method", "npo")
    assert code == 2
    assert "is in the format of llama.cpp (x.gguf)" in err
