"""Read a benchmark's examples from a folder of files or from the hub at a pinned revision."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from unteach.data import read
from unteach.data.listing import shortened
from unteach.errors import Problem, UserError, require
from unteach.types import Example

# Suffixes of a file name; the last is that of a single-part split on the hub.
KINDS = (".jsonl", ".json", ".parquet", "-00000-of-00001.parquet")
COLUMNS = {
    "paraphrase": "paraphrased_answer",
    "perturbed": "perturbed_answer",
    "turns": "prompt and gt",
}
FORMS = {"pair": "question and answer", "text": "raw text, or prompt and gt"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a benchmark, in a local folder or on the hub.

    Attributes:
        group: name of the group; example ids are the group and the row number.
        files: possible file names without suffix; the first that exists is read.
        folders: subfolders that may hold the file.
        dataset: id of the dataset on the Hugging Face hub.
        config: of the dataset.
        split: of the dataset.
        revision: commit of the dataset.
        kind: kind of its examples.
        needs: fields that every example must have (`paraphrase`, `perturbed`, `turns`).
        optional: whether the file may be missing in a folder.
        larger: names of files that end with these examples, read where the file itself is missing.
        last: number of these examples at the end of the larger file.
    """

    group: str
    files: tuple[str, ...]
    folders: tuple[str, ...] = ("",)
    dataset: str
    config: str
    split: str = "train"
    revision: str
    kind: Literal["pair", "text"] = "pair"
    needs: tuple[str, ...] = ()
    optional: bool = False
    larger: tuple[str, ...] = ()
    last: int = 0

    @property
    def hub(self) -> str:
        """The dataset's id with config, split and revision."""
        return f"{self.dataset}:{self.config}:{self.split}@{self.revision}"


def examples_of(sources: list[Source], folder: Path | None) -> dict[str, list[Example]]:
    """The examples of every source, by group; a missing optional file gives no group.

    Args:
        sources: the files to read.
        folder: of local files; None reads all of them from the hub.

    Raises:
        UserError: all files that are missing or wrong, by name.
    """
    if folder is not None and not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        hint = "give the folder that holds the benchmark's files"
        raise UserError(Problem(f"--data {folder}", what, hint, "request"))
    found, problems = {}, []
    for source in sources:
        examples, wrong = _from_hub(source) if folder is None else _from_folder(source, folder)
        wrong = [problem for problem in wrong if problem.kind != "note"]
        problems += wrong or _unfit(source, examples)
        if examples:
            found[source.group] = examples
    require(*problems)
    return found


def place_of(sources: list[Source], folder: Path | None) -> dict[str, str]:
    """The file of each source, or its dataset id on the hub, by group.

    A missing optional file gives no group.

    Raises:
        UserError: all files that are missing, by name.
    """
    found, problems = {}, []
    for source in sources:
        path = find(folder, source.files, source.folders) if folder else None
        if path or folder is None:
            found[source.group] = str(path) if path else source.hub
        elif not source.optional:
            problems.append(_missing(source, folder))
    require(*problems)
    return found


def find(folder: Path, names: tuple[str, ...], folders: tuple[str, ...] = ("",)) -> Path | None:
    """The first existing file with one of these names and any known suffix."""
    paths = (
        folder / place / (name + kind) for place in folders for name in names for kind in KINDS
    )
    return next((path for path in paths if path.is_file()), None)


def _from_folder(source: Source, folder: Path) -> tuple[list[Example], list[Problem]]:
    if path := find(folder, source.files, source.folders):
        return read(path, source.group)
    path = find(folder, source.larger, source.folders)
    if path is None:
        return [], [] if source.optional else [_missing(source, folder)]
    examples, problems = read(path, source.group)
    if all(problem.kind == "note" for problem in problems) and len(examples) < source.last:
        what = f"has {len(examples)} examples, of which {source.config} is the last {source.last}"
        problems = [Problem(str(path), what, f"give {source.files[0]} itself")]
    ends = examples[-source.last :]
    return [replace(e, id=f"{source.group}-{k}") for k, e in enumerate(ends)], problems


def _missing(source: Source, folder: Path) -> Problem:
    name, *others = source.files + source.larger
    called = f"; it may also be called {', '.join(others)}" if others else ""
    places = ", ".join(f"{place}/" for place in source.folders if place)
    inside = f"; it may also lie in {places}" if places else ""
    hint = f"{source.group} is read from it{called}{inside}; on the hub it is {source.hub}"
    return Problem(f"--data {folder}", f"holds no {name} ({', '.join(KINDS[:3])})", hint, "request")


def _from_hub(source: Source) -> tuple[list[Example], list[Problem]]:
    examples, problems = read(source.hub, source.group)
    hint = f"{source.group} is read from it: mind the network and HF_HUB_OFFLINE, or give --data "
    hint += f"a folder with {source.files[0]}{KINDS[0]}"
    return examples, [replace(p, hint=hint) if p.where == source.hub else p for p in problems]


def _unfit(source: Source, examples: list[Example]) -> list[Problem]:
    """Problems with examples of a wrong kind or without a needed field."""
    problems = []
    for example in examples:
        if example.kind != source.kind:
            what = f"is no {FORMS[source.kind]}"
            problems.append(Problem(example.where, what, f"{source.group} is made of these"))
            continue
        for name in source.needs:
            if not getattr(example, name):
                hint = f"give the benchmark's own file of {source.config}"
                problems.append(Problem(example.where, f"has no {COLUMNS[name]}", hint))
    return shortened(problems)
