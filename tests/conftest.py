# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that every kind of test may use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support import warm
from tests.support.emulator import Emulator

warm.is_used = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, skip what is marked `root`."""
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short path: ansible-core 2.22 keeps a socket in TMPDIR, and has 107 bytes for all of its path."""
    with tempfile.TemporaryDirectory(prefix="test-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def _full_process() -> Iterator[Emulator]:
    with Emulator("full") as running:
        yield running


@pytest.fixture(scope="session")
def _documented_process() -> Iterator[Emulator]:
    with Emulator("documented") as running:
        yield running


def _fresh(emulator: Emulator) -> Emulator:
    if emulator.running:
        emulator.reset()
    else:
        emulator.start()
    return emulator


@pytest.fixture
def emulator(_full_process: Emulator) -> Emulator:
    """An empty server that offers every call."""
    return _fresh(_full_process)


@pytest.fixture
def documented_emulator(_documented_process: Emulator) -> Emulator:
    """An empty server that offers the public calls only."""
    return _fresh(_documented_process)


@pytest.fixture
def emulator_factory() -> Iterator[Callable[..., Emulator]]:
    """Starts further emulators, with the options of Emulator; they end with the test."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> Emulator:
            return stack.enter_context(Emulator(*arguments, **options))

        yield start
