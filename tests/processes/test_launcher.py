"""What was asked of accelerate is what runs, or the user is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from accelerate import Accelerator
from accelerate.utils import DistributedType
from support import tiny_llama
from trainers import trainer

from unteach.errors import UserError
from unteach.processes.launcher import lone, require_asked, require_same_kind
from unteach.sharding.gather import Shell

FILES = sorted((Path(__file__).parents[2] / "examples" / "accelerate").glob("*.yaml"))


def test_a_launcher_that_fell_back_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UserError, match="FSDP: was asked for, and is not what runs"):
        trainer("npo", tmp_path)


def test_fsdp_of_the_first_version_is_refused():
    class First:
        distributed_type, is_fsdp2 = DistributedType.FSDP, False

    with pytest.raises(UserError, match="version 1"):
        require_asked(First())


@pytest.mark.parametrize("found", ["1.10.0", "1.14.0", "1.15.0"])
def test_shards_need_an_accelerate_that_reads_its_checkpoints(found, monkeypatch):
    class Second:
        distributed_type, is_fsdp2 = DistributedType.FSDP, True

    monkeypatch.setattr("importlib.metadata.version", lambda name: found)
    monkeypatch.setattr("unteach.processes.launcher.version", lambda name: found)
    if found == "1.15.0":
        require_asked(Second())
        return
    with pytest.raises(UserError, match=f"FSDP: .* with accelerate {found}") as error:
        require_asked(Second())
    assert 'pip install -U "accelerate>=1.15"' in str(error.value)


@pytest.mark.slow
def test_one_process_where_several_were_asked_for(tmp_path, monkeypatch):
    """`accelerate launch --cpu` starts one, without a word; what it sets shows it."""
    script, seen = tmp_path / "script.py", tmp_path / "seen.json"
    script.write_text(f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))")
    for number, told in ((2, 1), (1, 0)):
        command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]
        command += ["--num_processes", str(number), "--num_machines", "1", str(script)]
        clean = {k: v for k, v in os.environ.items() if k not in ("MASTER_ADDR", "KMP_BLOCKTIME")}
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=clean)
        environment = json.loads(seen.read_text())
        assert len(lone(environment)) == told
    environment["MASTER_ADDR"] = "127.0.0.1"
    for name in ("ACCELERATE_USE_CPU", "MASTER_ADDR", "KMP_BLOCKTIME"):
        monkeypatch.setenv(name, environment[name])
    with pytest.raises(UserError, match="started one"):
        trainer("npo", tmp_path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_accelerate_takes_the_files(file):
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    config = load_config_from_file(str(file))
    assert config.num_processes == 8
    given = ["--config_file", str(file), "script.py"]
    args, *_ = _validate_launch_command(launch_command_parser().parse_args(given))
    asked = {"ddp": args.multi_gpu, "fsdp2": args.use_fsdp}.get(file.stem, args.use_deepspeed)
    assert asked
    said = yaml.safe_load(file.read_text())
    more = said.get("fsdp_config", {}) | said.get("deepspeed_config", {})
    for name, value in more.items():
        assert str(getattr(args, name)).lower() == str(value).lower(), name


def test_there_is_a_file_for_each_way():
    assert [file.stem for file in FILES] == ["ddp", "fsdp2", "zero2", "zero3"]


@pytest.mark.parametrize(
    ("file", "kind"), [("pytorch_model_fsdp.bin", "FSDP"), ("global_step3", "DeepSpeed")]
)
def test_shards_are_read_by_what_wrote_them(file, kind, tmp_path):
    (tmp_path / "model.safetensors").touch()
    require_same_kind(tmp_path, Accelerator(cpu=True))
    (tmp_path / file).touch()
    with pytest.raises(UserError, match=f"of the kind {kind}"):
        require_same_kind(tmp_path, Accelerator(cpu=True))


@pytest.mark.parametrize("tied", [True, False])
def test_a_shell_holds_nothing_until_it_is_filled(tied):
    model = tiny_llama(tied=tied)
    shell = Shell(model)
    assert all(p.is_meta for p in shell._model.parameters())
    whole = shell.filled(model.state_dict())
    assert (whole.lm_head.weight is whole.model.embed_tokens.weight) == tied
    for (name, weight), other in zip(
        model.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        assert weight.equal(other), name
