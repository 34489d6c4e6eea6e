"""What the trainer writes: weights and what goes with them, and no pickle that nothing reads."""

from trainers import trainer


def test_training_args_are_pickled_nowhere(tmp_path):
    run = trainer("npo", tmp_path / "run", save_strategy="steps", save_steps=1, max_steps=2)
    run.train()
    run.save_model(str(tmp_path / "model"))
    files = {file.name for file in tmp_path.rglob("*")}
    assert {"model.safetensors", "optimizer.pt", "checkpoint-2"} <= files
    assert "training_args.bin" not in files
    again = trainer("npo", tmp_path / "run", save_strategy="steps", save_steps=1, max_steps=2)
    again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-1"))
    assert again.state.global_step == 2
