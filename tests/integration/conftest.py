# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that several files of integration tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import ROOT
from tests.fleet import Fleet, fleet_emulator
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix
from tests.support.rotation import RotationSite
from tests.support.sink import Sink

#: Each Python that a test starts, also on the hosts of a fleet, finds there what others have compiled.
COMPILED = str(ROOT / "tests" / "support" / "compiled")
if COMPILED not in os.environ.get("PYTHONPATH", ""):
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [COMPILED, os.environ.get("PYTHONPATH")]))

#: The files whose tests take longest, in the order in which they begin, so that none of them is alone at the end.
LONG = ("test_rotation_kill", "test_rotation_moments", "test_apply", "test_examples", "test_rotation", "test_secrets")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def _rotation_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotationSite]:
    """Two mail servers and an emulator, once for all tests of a process."""
    with Fleet(2) as fleet, fleet_emulator(fleet) as vendor:
        yield RotationSite(fleet, vendor, tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(_rotation_site: RotationSite) -> RotationSite:
    """A site on which nothing is under way; what it holds now are the old passwords."""
    _rotation_site.make_whole()
    return _rotation_site


@pytest.fixture(scope="module")
def old_server() -> Iterator[Sink]:
    """Where mail goes without the smarthost, if `instance` says so: a server without TLS and without logins."""
    with Sink() as running:
        yield running


@pytest.fixture
def sink(old_server: Sink) -> Sink:
    """The same without mail."""
    old_server.mails.clear()
    return old_server


@pytest.fixture(scope="module")
def instance() -> Iterator[ScratchPostfix]:
    """One Postfix for all tests of a file."""
    with ScratchPostfix() as running:
        yield running


@pytest.fixture
def postfix(instance: ScratchPostfix) -> ScratchPostfix:
    """The instance as if nobody had configured it yet."""
    from tests.support.relay import relay

    run = relay(instance, state="absent")
    assert not run.failed, run.message
    instance.clean()
    return instance


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What modules that run in this process warn of."""
    from tests.support.relay import collect_warnings

    return collect_warnings(monkeypatch)


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    """The emulator with the sender that the tests' mail server logs in as."""
    from tests.support.relay import LOGIN

    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": LOGIN["default_password"]}])
    return emulator
