"""Where things lie: the reviews of a folder, their results, and the workflow that comes with the package."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from click import ClickException, UsageError

DATA, RESULTS, EXPORT = Path("data"), Path("results"), Path("export")
GALLERY = Path("gallery")
"""Published meta-analyses as reviews, beside those of `data/`."""
PROTOCOL, TOOLS = "review.yaml", "risk_of_bias_tools.yaml"
_NAME = re.compile(r"[^\W_][\w.-]*")


class Stop(ClickException):
    """What ends a command with one message for a person, and exit status 1."""

    def show(self, file: object = None) -> None:
        """Print the message as it stands."""
        del file
        import click

        click.echo(self.message, err=True)


def home() -> Path:
    """The folder of the workflow: Snakefile, workflow/, scripts/, profiles/, data/risk_of_bias_tools.yaml.

    Raises Stop where the package has none, as when only its modules were copied.
    """
    package = Path(__file__).parent.parent
    # In an installed package it lies beside the modules; in a clone it is the clone.
    found = next((one for one in (package / "_workflow", package.parent.parent) if (one / "Snakefile").is_file()), None)
    if found is None:
        raise Stop("The workflow is not part of this installation: install reweigh from its wheel, or work in a clone.")
    return found


def tools_file(data: Path) -> Path:
    """The risk-of-bias tools of a folder of reviews: its own, or those that come with the workflow."""
    own = data / TOOLS
    return own if own.is_file() else home() / DATA / TOOLS


def reviews(data: Path = DATA) -> list[str]:
    """Names of the reviews of a folder: its sub-folders that have a protocol."""
    return sorted(path.parent.name for path in data.glob(f"*/{PROTOCOL}"))


def folder_of(name: str) -> Path:
    """The folder of a review: data/NAME, or NAME itself where it is a path."""
    return Path(name) if Path(name).name != name or name in (".", "..") else DATA / name


def new_folder(name: str) -> Path:
    """The folder of a review that is to be made.

    Raises UsageError where its name cannot be that of a review.
    """
    folder = folder_of(name)
    if not _NAME.fullmatch(folder.name):
        raise UsageError(
            f"{folder.name!r} cannot be the name of a review: letters and digits, then also '-', '_' and '.'."
        )
    return folder


def existing(name: str) -> Path:
    """The folder of a review that is there.

    Raises Stop where it is not, with the names that are near.
    """
    folder = folder_of(name)
    if folder.is_dir():
        return folder
    known = reviews(folder.parent)
    near = get_close_matches(folder.name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(known)}." if known else ""
    raise Stop(f"There is no folder {folder}.{hint} `reweigh new {name}` makes one.")


def results_of(folder: Path) -> Path:
    """Where the results of a review lie: `results/` stands beside `data/`, and has a folder for those of `gallery/`."""
    inside = GALLERY / folder.name if folder.parent.name == GALLERY.name else Path(folder.name)
    return folder.parent.parent / RESULTS / inside
