"""Copy processor files and custom code of a model to the folder where it is saved."""

import json
import shutil
from pathlib import Path
from typing import Any

from unteach.models.loading import runs_own_code, source_of
from unteach.models.source import folder_of, read_json

# Files of processors for images, sound and video, and chat templates.
PROCESSOR = (
    "processor_config.json",
    "preprocessor_config.json",
    "image_processor_config.json",
    "video_preprocessor_config.json",
    "feature_extractor_config.json",
    "audio_tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
NAMES_CODE = ("config.json", "tokenizer_config.json", "generation_config.json", *PROCESSOR)


def carry_over(model: Any, folder: Path) -> None:
    """Add files to a saved model that transformers does not save.

    Existing files are not replaced. If a file refers to code (`auto_map`) that is not in the
    folder, the reference is removed: with it, loading with `trust_remote_code` would fail.

    Args:
        model: as loaded by `load_model`.
        folder: where it was saved.
    """
    source = folder_of(source_of(model))
    if source and source.is_dir() and source.resolve() != folder.resolve():
        _copy(source, folder, PROCESSOR)
        if runs_own_code(model):
            _copy(source, folder, [file.name for file in source.glob("*.py")])
    for name in NAMES_CODE:
        if (folder / name).exists():
            _without_lost_code(folder / name)


def _copy(source: Path, folder: Path, names: Any) -> None:
    for name in names:
        if (source / name).is_file() and not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)


def _without_lost_code(file: Path) -> None:
    if not file.name.endswith(".json"):
        return
    try:
        held = read_json(file)
    except ValueError:
        return  # not a JSON object, so it has no reference
    references = held.get("auto_map")
    if not isinstance(references, dict):
        return
    kept = {auto: at for auto, at in references.items() if _all_here(at, file.parent)}
    if kept == references:
        return
    held.pop("auto_map")
    held |= {"auto_map": kept} if kept else {}
    file.write_text(json.dumps(held, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _all_here(named: Any, folder: Path) -> bool:
    """Whether the referenced code ("module.Class", or a list of these) is in the folder."""
    several = named if isinstance(named, list) else [named]
    return all(
        "--" not in str(one) and (folder / f"{str(one).partition('.')[0]}.py").is_file()
        for one in several
        if one
    )
