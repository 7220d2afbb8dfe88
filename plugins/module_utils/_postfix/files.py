# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or absent, with the right mode from their first byte on, and one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .._files import sync_folder
from .commands import PostfixError
from .dates import date_back

NEW = ".new"


def write_new(path: str, content: bytes, mode: int) -> str:
    """Write `path`.new, on disk when this returns; give its name back. Nothing else ever uses that name."""
    new = path + NEW
    with contextlib.suppress(FileNotFoundError):
        Path(new).unlink()
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(handle, mode)
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    return new


def replace(path: str, content: bytes, mode: int) -> None:
    """Put a whole file in the place of the old one."""
    rename(write_new(path, content, mode), path)


def rename(old: str, new: str) -> None:
    """Rename, on disk when this returns."""
    Path(old).replace(new)
    sync_folder(Path(new).parent)


def read(path: str) -> bytes | None:
    """The content of a file, None where there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def digest(path: str) -> str:
    """A digest of the content, from which no password can be read."""
    return hashlib.sha256(read(path) or b"").hexdigest()


def unended(path: str) -> Optional[str]:
    """A digest of the last line where no newline ends it, None where one does."""
    content = read(path) or b""
    return None if not content or content.endswith(b"\n") else _digest_of_last_line(content)


def end_last_line(path: str) -> None:
    """Give the last line its newline: `postconf` appends, and would make one line of two."""
    if unended(path):
        rewrite(path, (read(path) or b"") + b"\n")


def unend_last_line(path: str, digest: str) -> None:
    """Take the newline away again, if the last line is still the one with this digest."""
    content = read(path) or b""
    if content.endswith(b"\n") and _digest_of_last_line(content[:-1]) == digest:
        rewrite(path, content[:-1])


def _digest_of_last_line(content: bytes) -> str:
    return hashlib.sha256(content.rpartition(b"\n")[2]).hexdigest()


def rewrite(path: str, content: bytes) -> None:
    """Put a whole file in the place of the old one, with its owner and mode."""
    status = Path(path).stat()
    new = write_new(path, content, status.st_mode & 0o7777)
    os.chown(new, status.st_uid, status.st_gid)
    date_back(new, status.st_mtime_ns)
    rename(new, path)


def refuse_link(path: str) -> None:
    """Raise PostfixError for a link, dangling or not: a rename would put a file in its place, for good.

    A link further up, such as /etc/postfix itself, is followed like any folder.
    """
    if Path(path).is_symlink():
        target = Path(path).readlink()
        state = "" if Path(path).exists() else ", which is not there"
        raise PostfixError(
            f"{path} is a link to {target}{state}, and a change here would put a file in its place; set the smarthost "
            "where that file comes from, or replace the link with the file itself, then run again."
        )


def is_private(path: str, mode: int) -> bool:
    """Whether the file belongs to root, or whoever runs this, and has exactly this mode."""
    status = Path(path).stat()
    return status.st_uid == os.geteuid() and status.st_mode & 0o7777 == mode


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()


@contextlib.contextmanager
def kept_mode(path: str) -> Iterator[None]:
    """Give the file its owner and mode back after a command that resets both (`postconf -e`)."""
    before = Path(path).stat()
    try:
        yield
    finally:
        after = Path(path).stat()
        if (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid):
            os.chown(path, before.st_uid, before.st_gid)
        if after.st_mode != before.st_mode:
            Path(path).chmod(before.st_mode & 0o7777)


@contextlib.contextmanager
def lock(directory: str) -> Iterator[None]:
    """Keep other runs out of this configuration directory. The lock leaves no file and ends with the process."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise PostfixError(
            f"another run is changing {directory} at this moment; wait for it to end and run again.", "in_use"
        ) from None
    else:
        # Whoever puts a staged table in use only renames it.
        os.fsync(handle)
        yield
    finally:
        os.close(handle)
