"""Files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import glob
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def whole(path: Path, *, replace: bool) -> Generator[Path]:
    """A draft beside `path`, for its owner only, that takes its name at the end; on any exception it is gone.

    What is killed in between leaves the draft, `.NAME.PID.partial`, and never half a file under the name itself.

    Raises:
        ClickException: there is a file already and `replace` was not said, or nothing can be written there.
    """
    refuse_existing(path, replace=replace)
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    try:
        yield draft
        _to_disk(draft)
        if replace:
            draft.replace(path)
        else:
            # A link and not a rename, which would take the place of a file that came in between.
            path.hardlink_to(draft)
    except FileExistsError:
        raise click.ClickException(f"{path} exists by now") from None
    finally:
        for left in path.parent.glob(f"{glob.escape(draft.name)}*"):  # what SQLite keeps beside it, too
            with contextlib.suppress(FileNotFoundError):
                left.unlink()
    _to_disk(path.parent)


def refuse_existing(path: Path, *, replace: bool) -> None:
    """Refuse to write over a file unless that was asked for.

    Raises:
        ClickException: there is one, or what is there is a folder.
    """
    if path.is_dir():
        raise click.ClickException(f"{path} is a folder: name a file in it")
    if path.exists() and not replace:
        raise click.ClickException(f"{path} exists: choose another name, or say --force")


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
