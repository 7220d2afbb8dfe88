# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read at the start of each Python of integration tests: what modules import is compiled once, not by each process.

ansible-core sends a module with all that it imports as an archive, and Python keeps no byte code of what lies in one:
half of the processor time of a module that has little to do. The same text is the same code.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from types import CodeType

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "..", "build", "compiled", sys.implementation.cache_tag)
_compile = zipimport._compile_source  # type: ignore[attr-defined]  # there is no public way to this


def compile_once(path: str, source: bytes) -> CodeType:
    """The code of this source, from an earlier process when one has compiled it."""
    kept = os.path.join(FOLDER, _imp.source_hash(0, source).hex())
    try:
        with open(kept, "rb") as file:
            code: CodeType = marshal.loads(file.read())  # noqa: S302 - we wrote it; from a file it reads byte by byte
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]  # as importlib does with what it has kept
    except (OSError, EOFError, ValueError, TypeError):
        code = _compile(path, source)
        _keep(kept, code)
    return code


def _keep(path: str, code: CodeType) -> None:
    """Write it at once or not at all; several processes may, and some can write nothing here."""
    try:
        os.makedirs(FOLDER, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "wb") as file:
            marshal.dump(code, file)
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        return


zipimport._compile_source = compile_once  # type: ignore[attr-defined]  # see above
