"""Detect changes to a model's files during a run, so that results do not mix two models."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from unteach.errors import Problem, require

# Files that affect a model's output; a README or the optimiser's state does not.
KINDS = (".safetensors", ".json", ".jinja", ".model", ".txt", ".bin", ".py")
IGNORED = ("run.json", "scores.json", "trainer_state.json", "unteach.json")
Ages = dict[str, tuple[int, ...]]


def weighty(folder: Path) -> list[Path]:
    """Return the files of a model that affect its output, sorted by name."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix in KINDS and f.is_file()]
    return [f for f in files if f.name not in IGNORED]


def ages(model: str) -> Ages:
    """Return size, inode and change times of the files that affect a model's output.

    Args:
        model: a folder; a hub id gives an empty result, since its files are named by their hash.
    """
    folder = Path(model)
    if not folder.is_dir():
        return {}
    stats = {file.name: file.stat() for file in weighty(folder)}
    return {n: (s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for n, s in stats.items()}


def ages_of(models: Iterable[str | None]) -> dict[str, Ages]:
    """Return the `ages` of several models, by their names."""
    return {model: ages(model) for model in models if model}


def require_unchanged(before: Mapping[str, Ages]) -> None:
    """Check that no file of the models was changed since they were checked.

    Args:
        before: the `ages` of each model at that time.

    Raises:
        UserError: a file was changed.
    """
    problems = []
    for model, then in before.items():
        now = ages(model)
        if changed := sorted(n for n in {**then, **now} if then.get(n) != now.get(n)):
            what = f"was changed while the run was under way ({', '.join(changed[:3])})"
            hint = "what was measured before and after would be of two models: start again"
            problems.append(Problem(f"model {model}", what, hint))
    require(*problems)
