# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates of files for which no program of Postfix has to wait.

A program that reads main.cf, or a table of type texthash, reads it again and again, with pauses, until the file is two
seconds old, as somebody may be in the middle of writing it (dict_load_file_xt in src/util/dict.c, dict_thash_open in
src/util/dict_thash.c). What was renamed into its place is whole, so there is nothing to wait for. Postfix compares
these dates with nothing else: main.cf is read again at a reload, and these tables when a daemon starts.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

# Postfix compares whole seconds.
_AGE = 3 * 10**9


def date_back(path: str, before: int = 0) -> None:
    """Let a file that was just renamed into its place, or is about to be, look three seconds old.

    before: when the file that was there before had been changed, in nanoseconds. A new file never looks older than
    that, so whoever goes by the date, such as a backup, still sees that it has changed.
    """
    with contextlib.suppress(OSError):  # it costs two seconds, and nothing else
        status = Path(path).stat()
        wanted = max(time.time_ns() - _AGE, before + 1)
        if wanted < status.st_mtime_ns:
            os.utime(path, ns=(status.st_atime_ns, wanted))


def changed_at(path: str) -> int:
    """When a file was changed, in nanoseconds; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def dated_back(path: str) -> Iterator[None]:
    """For what replaces a file as a whole. A kill before the end leaves the file as it is, for which Postfix waits."""
    before = changed_at(path)
    yield
    date_back(path, before)
