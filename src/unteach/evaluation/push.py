"""Upload a finished result to the Hugging Face Hub: the model's own files and its card alone."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation.rescore import read_report
from unteach.files import CARD, PRIVATE, listed_files, what_changed

REPO = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
MODEL_FILE = re.compile(
    r"(adapter_)?model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json"
    r"|(\w+_)?config\.json|unteach_base\.json"
    r"|(tokenizer|special_tokens_map|added_tokens|vocab|chat_template)\.json"
    r"|(additional_chat_templates/)?[\w-]+\.jinja"
    r"|merges\.txt|vocab\.txt|(tokenizer|spiece|sentencepiece\.bpe)\.model|\w+\.tiktoken"
    r"|\w+\.py"  # of a model that brings its own code
)
"""The only names that are uploaded, beside the card."""
STALE = re.compile(r".*\.(safetensors|bin|pt|pth|ckpt|gguf)|.*\.index\.json|adapter_config\.json")
"""What would be loaded beside, or in place of, the new weights."""
OURS = re.compile(r"(rows|attacks)/.*|report\.\w+|scores\.json|request\.yaml|.*\.png")
PLACES = ("_name_or_path", "name_or_path", "base_model_name_or_path")  # may be a local folder


@dataclass(frozen=True)
class Pushed:
    """Result of an upload.

    Attributes:
        url: of the commit.
        repo: its repository, `owner/name`.
        files: the names that were uploaded.
        left_out: files of the model that unteach does not know, and did not upload.
        older: whether the repository was there before: its earlier commits keep what they hold.
    """

    url: str
    repo: str
    files: tuple[str, ...]
    left_out: tuple[str, ...]
    older: bool


def push(
    folder: str | os.PathLike[str],
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    anyway: bool = False,
) -> Pushed:
    """Upload the model and its card from a result of `unteach run`; no rows, no report, no request.

    Args:
        folder: the result; each of its files is compared with the hash from when it was written.
        repo: the repository to make, `owner/name`.
        private: make it private.
        revision: a branch to commit to; with one the repository may exist already.
        anyway: upload although a gate failed.

    Raises:
        UserError: no whole result, a failed gate, no token, no network, or the hub refuses.

    Example:
        unteach.push("unlearned", "owner/name", private=True)
    """
    from huggingface_hub import HfApi

    folder = Path(folder)
    if problems := [*push_problems(repo), *_result_problems(folder, repo, anyway=anyway)]:
        raise UserError(*problems)
    files, unknown = _chosen(folder)
    api = HfApi(library_name="unteach", library_version=version("unteach"))
    given = {"--private": private, "--anyway": anyway, f"--revision={revision}": revision}
    with _told(repo, folder, [flag for flag, wanted in given.items() if wanted]):
        older = _make(api, repo, private=private, revision=revision)
        stale = _stale(api, repo, revision, files) if older else []
        changes, said = _operations(folder, files, stale), f"Upload by unteach {version('unteach')}"
        done = api.create_commit(repo, changes, commit_message=said, revision=revision)
    return Pushed(done.commit_url, repo, tuple(files), tuple(unknown), older)


def _chosen(folder: Path) -> tuple[list[str], list[str]]:
    """Return the files to upload, and the files of the run that are not recognised."""
    listed = [name for name in listed_files(folder) if (folder / name).is_file()]
    files = [*filter(MODEL_FILE.fullmatch, listed), *([CARD] if (folder / CARD).is_file() else [])]
    return files, [n for n in listed if n not in {*files, PRIVATE} and not OURS.fullmatch(n)]


def push_problems(repo: str) -> Iterator[Problem]:
    """Find what would keep an upload from beginning: the name, offline mode, a missing token."""
    from huggingface_hub import constants, get_token

    if not REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        hint = "write OWNER/NAME, in letters, digits, dots, dashes and underscores"
        yield Problem("the hub", "got what is no name of a repository", hint, "request")
    if constants.is_offline_mode():
        hint = "unset HF_HUB_OFFLINE"
        yield Problem("the hub", "HF_HUB_OFFLINE is set, so it is not asked", hint, "request")
    elif not get_token():
        hint = "run `hf auth login`, or set HF_TOKEN to a token that may write"
        yield Problem("the hub", "there is no token for it", hint, "request")


def _result_problems(folder: Path, repo: str, *, anyway: bool) -> Iterator[Problem]:
    """Find why a folder is no whole result, or should not be shown to others."""
    listed = listed_files(folder) if folder.is_dir() else {}
    if not any(MODEL_FILE.fullmatch(name) for name in listed):
        hint = "give a folder that `unteach run` wrote"
        yield Problem(str(folder), "is no finished result with a model in it", hint, "request")
        return
    hint = f"see `unteach verify {folder}`; what is uploaded is what was measured"
    yield from (Problem(str(folder), what, hint) for what in what_changed(folder, listed))
    failed = [gate.measure for gate in read_report(folder).gates if not gate.passed]
    if failed and not anyway:
        hint = f"once you accept it: unteach push {folder} {repo} --anyway"
        yield Problem(str(folder), f"failed its gates: {', '.join(failed)}", hint)


def _make(api: Any, repo: str, *, private: bool, revision: str | None) -> bool:
    """Make the repository, and the branch; whether the repository was there before."""
    from huggingface_hub.errors import HfHubHTTPError

    older = False
    try:
        api.create_repo(repo, private=private or None)
    except HfHubHTTPError as error:
        if error.response.status_code != 409 or not revision:
            raise
        older = True
    if revision and revision != "main":
        api.create_branch(repo, branch=revision, exist_ok=True)
    return older


def _stale(api: Any, repo: str, revision: str | None, files: list[str]) -> list[str]:
    there = api.list_repo_files(repo, revision=revision)
    return [name for name in there if STALE.fullmatch(name) and name not in files]


def _operations(folder: Path, files: list[str], stale: list[str]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    return [
        *(CommitOperationAdd(name, without_folders(folder / name)) for name in files),
        *(CommitOperationDelete(name) for name in stale),
    ]


def without_folders(file: Path) -> str | bytes:
    """Return a file for upload, with local folders in configs cut to their last part.

    Adapters name the model that they are put on, which may be a folder of this machine.
    """
    if not file.name.endswith("config.json"):
        return str(file)
    held = json.loads(file.read_text(encoding="utf-8"))
    shown = {k: PurePath(held[k]).name for k in PLACES if _is_local(held.get(k))}
    if not shown:
        return str(file)
    return (json.dumps({**held, **shown}, indent=2, ensure_ascii=False) + "\n").encode()


def _is_local(place: Any) -> bool:
    if not isinstance(place, str) or not place:
        return False
    return Path(place).exists() or not (REPO.fullmatch(place) or PurePath(place).name == place)


@contextmanager
def _told(repo: str, folder: Path, flags: list[str]) -> Iterator[None]:
    """Say what went wrong with the hub in words that help."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    again = f"try again: {shlex.join(['unteach', 'push', str(folder), repo, *flags])}"
    try:
        yield
    except HfHubHTTPError as error:
        what, hint = _answer(error.response.status_code)
        raise UserError(Problem(f"{repo} on the hub", what, hint or again)) from error
    except (HTTPError, OSError) as error:
        hint = f"look after the network, and {again}"
        what = f"cannot be reached ({type(error).__name__})"
        raise UserError(Problem(_endpoint(), what, hint)) from error
    except (RuntimeError, ValueError) as error:  # of an upload's part, or the card's metadata
        what = f"the upload failed ({type(error).__name__})"
        if CARD in str(error):
            what = f"refuses the metadata of {CARD}"
        raise UserError(Problem(f"{repo} on the hub", what, again)) from error


def _endpoint() -> str:
    from huggingface_hub import constants

    return f"the hub ({constants.ENDPOINT})"


def _answer(status: int) -> tuple[str, str]:
    """Explain an error of the hub as a problem with a hint."""
    return {
        401: (
            "does not take the token",
            "run `hf auth login`, or set HF_TOKEN to one that is valid",
        ),
        403: (
            "may not be written to with this token",
            "take a token that may write for this owner",
        ),
        404: ("is not there, or its branch is not", "see to OWNER/NAME and --revision"),
        409: (
            "exists already",
            "give another name; or --revision main for a further commit (earlier ones stay)",
        ),
    }.get(status, (f"refuses with status {status}", ""))
