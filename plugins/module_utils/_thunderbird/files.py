# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a profile's files, and replace several of them as one step."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._files import sync_folder
from .errors import ThunderbirdError, sentence

STAGE_PREFIX = ".smarthost-spamexperts-"


def read(path: Path, *, follow: bool = False) -> bytes | None:
    """The content of a regular file, or None where there is none.

    `follow`: through a link, which is right only for what is never written; home-manager makes links of such files.
    """
    try:
        # Without waiting: a person could have put a named pipe there.
        descriptor = os.open(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW) | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ThunderbirdError(sentence(error), "file_error") from None
        raise ThunderbirdError(f"{path} cannot be read: {error.strerror}", "file_error") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ThunderbirdError(f"{path} is not a regular file", "file_error")
        return file.read()


def left_behind(directory: Path) -> list[Path]:
    """What a run that was killed has left here: copies of what it replaced, and of what it was about to write."""
    return [path for path in directory.glob(STAGE_PREFIX + "*") if path.is_dir() and not path.is_symlink()]


def clean_up(directory: Path) -> None:
    """Remove that."""
    for old in left_behind(directory):
        shutil.rmtree(old)


@contextmanager
def stage(directory: Path, name: str = "") -> Iterator[Path]:
    """A new directory beside the files that are to be replaced; gone afterwards, as is one that a kill left behind.

    `name`: what it is called after the prefix, where somebody has to know it again.
    """
    clean_up(directory)
    if name:
        path = directory / (STAGE_PREFIX + name)
        path.mkdir(mode=0o700)
    else:
        path = Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=directory))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def write(path: Path, content: bytes, like: Path | None = None) -> None:
    """Write a new file through to the disk, with the permissions of `like` where that exists, else for the owner."""
    with path.open("xb") as file:
        if like and like.exists():
            os.fchmod(file.fileno(), stat.S_IMODE(like.stat().st_mode))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def move(names: list[str], source: Path, target: Path) -> None:
    """Replace the files `names` of `target` by those of `source`, in this order; on an error, put the old ones back."""
    for name in names:
        if (target / name).exists():
            shutil.copy2(target / name, source / f"{name}.old")
    done: list[str] = []
    try:
        for name in names:
            (source / name).replace(target / name)
            done.append(name)
    except OSError:
        for name in reversed(done):
            if (source / f"{name}.old").exists():
                (source / f"{name}.old").replace(target / name)
            else:
                (target / name).unlink()
        raise
    sync_folder(target)
