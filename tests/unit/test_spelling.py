# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the spelling sees a slip; that there is none in the texts, `make lint` says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tools import spelling


@pytest.mark.skipif(not shutil.which("hunspell"), reason="hunspell is not installed")
def test_a_slip_in_german_is_found() -> None:
    assert spelling.german("Der Smarthost hat ein Zertifikat.") == ""
    assert "Zertifkat" in spelling.german("Das Zertifkat des Smarthost")


def test_a_slip_in_english_is_found(tmp_path: Path) -> None:
    text = tmp_path / "text.md"
    text.write_text("Mail that you recieve.\n", encoding="utf-8")
    assert "receive" in spelling.english([str(text)])
