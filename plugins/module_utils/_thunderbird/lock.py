# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a Thunderbird using this profile? And: keep it from starting while we write.

Thunderbird holds a POSIX lock on `.parentlock` as long as it runs. The file itself, and the link `lock`, stay behind
after quitting and after a crash, so only the lock counts (measured).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ThunderbirdError

POLL_SECONDS = 0.2
# struct flock of 64-bit files on Linux: l_type, l_whence, l_start, l_len, l_pid.
_FLOCK = "hhqqi4x"


def user_of(profile: Path) -> str:
    """Who uses the profile, as words for a message; empty when nobody does."""
    try:
        descriptor = os.open(profile / ".parentlock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def held(profile: Path, wait_seconds: int) -> Iterator[None]:
    """Hold Thunderbird's own lock; waits up to `wait_seconds` for a running one to close.

    Raises ThunderbirdError with the process number when it stays in use.
    """
    path = profile / ".parentlock"
    created = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                waited = f", also after {wait_seconds} s" if wait_seconds else ""
                raise ThunderbirdError(
                    f"the profile is in use by {_holder(descriptor) or 'another process'}{waited}; "
                    "close Thunderbird, or give wait_for_close more seconds",
                    "in_use",
                )
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            if created:
                path.unlink()
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return False
        raise
    return True


def _holder(descriptor: int) -> str:
    question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    if kind == fcntl.F_UNLCK:
        return ""
    # A sandboxed or remote holder has no number here.
    return f"Thunderbird (pid {pid})" if pid > 0 else "a Thunderbird of another sandbox or host"
