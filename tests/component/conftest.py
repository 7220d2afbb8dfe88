# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that several files of component tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix


@pytest.fixture
def postfix() -> Iterator[ScratchPostfix]:
    """An instance that is configured but not started."""
    instance = ScratchPostfix()
    yield instance
    instance.close()


@pytest.fixture(scope="module")
def instance() -> Iterator[ScratchPostfix]:
    """One that runs, for all tests of a file."""
    with ScratchPostfix() as running:
        yield running


@pytest.fixture
def sending(vendor: Emulator, instance: ScratchPostfix) -> ScratchPostfix:
    """The scratch instance as a relay of the emulator, without mail."""
    from tests.support.relay import LOGIN, relay

    instance.clean()
    run = relay(instance, **vendor.smarthost_options, **LOGIN)
    assert not run.failed, run.message
    return instance


@pytest.fixture
def no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and the integration tests run it."""
    from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What modules warn of."""
    from tests.support.relay import collect_warnings

    return collect_warnings(monkeypatch)


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    """The emulator with the sender that the tests' mail server logs in as."""
    from tests.support.relay import LOGIN

    password = LOGIN["default_password"]
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": password}])
    return emulator


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A Thunderbird profile that somebody uses."""
    from tests.support.thunderbird_profile import make_profile

    return make_profile(tmp_path / "profile")
