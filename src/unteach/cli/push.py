"""`unteach push`: a finished result on the Hugging Face Hub."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.cli._options import argument, option


def push(
    folder: Annotated[Path, argument("A folder that `unteach run` wrote.", "DIR")],
    repo: Annotated[str, argument("The repository to create.", "OWNER/NAME")],
    private: Annotated[bool, option("Create a private repository.", flags="--private")] = False,
    revision: Annotated[
        str | None, option("Branch to commit to; the repository may then exist already.", "BRANCH")
    ] = None,
    anyway: Annotated[
        bool, option("Upload even if a gate failed; the card says so.", flags="--anyway")
    ] = False,
    json: options.Json = False,
) -> None:
    """Upload a result's model and its card, README.md, to the Hugging Face Hub.

    Uploads the files that a model is loaded from, and no rows, report, request or text. Each file
    must be as it was evaluated. Other weights in the branch are deleted from it.

    Requires a token: `hf auth login`, or HF_TOKEN.

    Examples:
      $ unteach push unlearned OWNER/NAME --private
      $ unteach push unlearned OWNER/NAME --revision second
    """
    from unteach.cli._show import say
    from unteach.evaluation.push import push as upload

    say("comparing the files with their hashes, and uploading")
    done = upload(folder, repo, private=private, revision=revision, anyway=anyway)
    if json:
        show_json(asdict(done))
        return
    told(done)
    typer.echo(done.url)


def told(done: Any) -> None:
    """Print the uploaded files, those left out, and whether older commits remain."""
    from unteach.cli._show import say

    say(f"uploaded {len(done.files)} files to {done.repo}: {', '.join(done.files)}")
    if done.left_out:
        say(f"left out, as unteach does not know them: {', '.join(done.left_out)}")
    if done.older:
        say("the repository's earlier commits still hold what was in them")


def after_run(folder: Path, repo: str, *, private: bool, passed: bool) -> None:
    """Upload what a run wrote, unless a gate failed; told either way."""
    from unteach.cli._show import say
    from unteach.evaluation.push import push as upload

    if not passed:
        say(f"not uploaded to {repo}, as a gate failed; once you accept the result all the same:")
        say(f"  unteach push {folder} {repo} --anyway{' --private' if private else ''}")
        return
    say(f"uploading to {repo}")
    done = upload(folder, repo, private=private)
    told(done)
    say(f"it is at {done.url}")
