# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of the controller that nobody else may look into, and files in it. No link is ever followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

CREATED = "created"
UPDATED = "updated"
UNCHANGED = "unchanged"

#: What is written, until it is whole. One name, so that a run that was killed leaves no more than one.
_UNFINISHED = ".unfinished"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe has no writer to wait for
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderError(ValueError):
    """The folder or a file in it cannot be used; one sentence."""


class PrivateFolder:
    """The folder while it is open. Without a handle it is one that check mode would make."""

    def __init__(self, path: Path, handle: Optional[int]) -> None:
        self.path = path
        self._handle = handle

    @classmethod
    @contextmanager
    def opened(cls, path: Path, *, check: bool) -> Iterator[PrivateFolder]:
        """The folder, which is made where it is missing, unless `check`. Raises FolderError."""
        try:
            if not check:
                with suppress(FileExistsError):
                    path.mkdir(mode=0o700)
            handle = os.open(path, _FOLDER)
        except FileNotFoundError as problem:
            if not check or not path.parent.is_dir():
                raise FolderError(f"the folder {path} cannot be made: {problem.strerror}.") from None
            yield cls(path, None)
            return
        except OSError as problem:
            raise FolderError(
                f"{path} cannot be used as a folder: {problem.strerror}; name a folder that is no link."
            ) from None
        try:
            cls._check(path, handle)
            yield cls(path, handle)
        finally:
            os.close(handle)

    @staticmethod
    def _check(path: Path, handle: int) -> None:
        status = os.fstat(handle)
        reason = ""
        if status.st_uid != os.geteuid():
            reason = "belongs to somebody else; name a folder of your own"
        elif status.st_mode & 0o077:
            reason = (
                f"is open to others (mode {stat.S_IMODE(status.st_mode):04o}); close it with chmod 700, or name another"
            )
        if reason:
            raise FolderError(f"the folder {path} {reason}.")

    def names(self) -> list[str]:
        """What is in it."""
        return [] if self._handle is None else sorted(os.listdir(self._handle))  # noqa: PTH208 - of the open folder, whatever has its name now

    def read(self, name: str) -> Optional[bytes]:
        """What is in this file: None where it is not there, b"" where it is a link or cannot be read."""
        if self._handle is None:
            return None
        try:
            if not stat.S_ISREG(os.lstat(name, dir_fd=self._handle).st_mode):
                return b""
            with os.fdopen(os.open(name, _OLD, dir_fd=self._handle), "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            return None
        except OSError:
            return b""

    def put(self, name: str, content: bytes, *, check: bool) -> str:
        """Have this file in the folder, whole or not at all, for nobody else to read. Raises FolderError.

        Returns what was done, or with `check` what would be.

        Whatever else has that name, such as a link or a pipe, is replaced; what a link leads to stays as it is.
        """
        if self._handle is None:
            return CREATED
        try:
            action = self._compare(name, content)
            if not check and action != UNCHANGED:
                self._write(name, content)
        except OSError as problem:
            raise FolderError(f"{self.path / name} cannot be written: {problem.strerror}.") from None
        return action

    def _compare(self, name: str, content: bytes) -> str:
        try:
            handle = os.open(name, _OLD, dir_fd=self._handle)
        except FileNotFoundError:
            return CREATED
        except OSError:
            return UPDATED  # a link, or what cannot be read
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(handle)
            plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            private = stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()
            if not (plain and private and status.st_size == len(content)):
                return UPDATED
            return UNCHANGED if stream.read() == content else UPDATED

    def _write(self, name: str, content: bytes) -> None:
        with suppress(FileNotFoundError):
            os.unlink(_UNFINISHED, dir_fd=self._handle)
        try:
            with os.fdopen(os.open(_UNFINISHED, _NEW, 0o600, dir_fd=self._handle), "wb") as stream:
                os.fchmod(stream.fileno(), 0o600)  # whatever the umask
                stream.write(content)
            os.rename(_UNFINISHED, name, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except BaseException:
            with suppress(OSError):
                os.unlink(_UNFINISHED, dir_fd=self._handle)
            raise
