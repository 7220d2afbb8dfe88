# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive has is compiled once, and is the same as what Python compiles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

TEXT = "def fail():\n    raise ValueError('{}')\n\n\nif __name__ == 'module':\n    fail()\n"


class Checkout:
    """The file in a checkout of its own, and an archive with one module."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "tests" / "support" / "compiled"
        self.site.mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "support" / "compiled" / "sitecustomize.py", self.site)
        self.kept = folder / "build" / "compiled"
        self.folder = folder

    def run(self, name: str, text: str) -> str:
        """What a Python says that imports the module from the archive of this name."""
        with zipfile.ZipFile(self.folder / name, "w") as archive:
            archive.writestr("module.py", text)
        code = f"import sys; sys.path.insert(0, {str(self.folder / name)!r}); import module"
        environment = {**os.environ, "PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr

    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.kept.rglob("*") if path.is_file()}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_second_process_has_the_code_of_the_first_under_its_own_name(checkout: Checkout) -> None:
    first = checkout.run("first.zip", TEXT.format("one"))
    [path] = checkout.files()
    before = path.stat().st_mtime_ns
    second = checkout.run("second.zip", TEXT.format("one"))
    assert path.stat().st_mtime_ns == before
    assert list(checkout.files()) == [path]
    for said, name in ((first, "first.zip"), (second, "second.zip")):
        assert "ValueError: one" in said
        assert f'"{checkout.folder / name}/module.py", line 2, in fail' in said


def test_another_text_is_other_code(checkout: Checkout) -> None:
    assert "ValueError: one" in checkout.run("same.zip", TEXT.format("one"))
    assert "ValueError: two" in checkout.run("same.zip", TEXT.format("two"))
    assert len(checkout.files()) == 2


@pytest.mark.parametrize("content", [b"", b"\xe3garbage", b"N"], ids=["empty", "no code", "nothing"])
def test_what_is_kept_is_damaged(checkout: Checkout, content: bytes) -> None:
    checkout.run("a.zip", TEXT.format("one"))
    [(path, good)] = checkout.files().items()
    path.write_bytes(content)
    assert "ValueError: one" in checkout.run("b.zip", TEXT.format("one"))
    assert len(path.read_bytes()) == len(good)


def test_where_nothing_can_be_written_everything_is_compiled(checkout: Checkout) -> None:
    checkout.kept.parent.write_text("no folder")
    assert "ValueError: one" in checkout.run("a.zip", TEXT.format("one"))
