# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of this package."""

from __future__ import annotations

import errno
from pathlib import Path


class ThunderbirdError(Exception):
    """A profile cannot be read or changed; the text is one sentence for the administrator and holds no secret.

    code: for programs, see the fragment `_failure`.
    """

    def __init__(self, sentence: str, code: str = "conflict") -> None:
        super().__init__(sentence)
        self.code = code


def code_of(error: Exception) -> str:
    """The word for programs of any exception."""
    if isinstance(error, ThunderbirdError):
        return error.code
    return "file_error" if isinstance(error, OSError) else "unexpected"


def sentence(error: Exception) -> str:
    """One sentence for the administrator; of an unforeseen one its kind and place, as its text may hold a secret."""
    if isinstance(error, ThunderbirdError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ELOOP and Path(error.filename or "").is_symlink():
        # Reading its target would be easy, and writing would put a file in the link's place.
        return f"{error.filename} is a link to {Path(error.filename).readlink()}; put the file itself in its place"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be read or written: {error.strerror or type(error).__name__}"
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else "an unknown place"
    return f"unexpected {type(error).__name__} in {where}; please report it"
