# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tests' own support importable under ansible-test, and says which examples properties are tried with.

The same ones each time, so that a change is judged by what it changes; `make check` takes fewer of them, and
`make properties` new ones every night.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Without a deadline, as a busy machine is no fault.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("few", deadline=None, derandomize=True, max_examples=25)
settings.register_profile("new", deadline=None)
settings.load_profile(os.environ.get("EXAMPLES", "same"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of pyproject.toml that unit tests have: ansible-test reads no such file."""
    config.addinivalue_line("markers", "slow: takes minutes")
