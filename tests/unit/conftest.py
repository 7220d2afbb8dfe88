# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tests' own support importable under ansible-test, and lets properties take their time on a busy machine."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
