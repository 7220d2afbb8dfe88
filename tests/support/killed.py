# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a run without a playbook, killed at a chosen transition.

It works in a forked child, which ends there by os._exit, so that nothing unwinds. What answers it lives in the parent,
as vendor and mail servers do when a controller dies. The store is a real file, without its encryption.
"""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import posix
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional, TypeVar

import yaml
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _store

KILLED = 42
MOST = 300  # transitions; a run has some forty
#: In the place of those of this machine, which take most of the time to read, and no connection is made.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class PlainVault:
    """In the place of ansible-vault, whose key derivation would take most of the time."""

    secrets: tuple[Any, ...] = ()

    def __init__(self, _loader: Any) -> None:
        """Nothing to open."""

    def decrypt(self, content: bytes) -> tuple[bytes, Any]:
        """Give the content as it is."""
        return content, None

    def encrypt(self, plain: bytes, _key: Any) -> bytes:
        """Give the content as it is."""
        return plain

    def key(self, _name: str) -> Any:
        """No key."""
        return None


class KilledError(Exception):
    """The run was killed at the transition that was chosen."""


class World:
    """What a run works on, and what is there after it: a store, and whatever a method `_do_...` answers with."""

    #: Whether coverage sees what its runs do, which takes them more than twice the time.
    is_measured = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[bytes, dict[str, Any]] = (b"", {})

    @property
    def end(self) -> Callable[[int], None]:
        """What ends a process so that nothing unwinds. The one of `os` lets coverage save what it has measured."""
        return os._exit if self.is_measured else posix._exit

    def content(self) -> dict[str, Any]:
        """All that the store on the disk holds."""
        content = self.path.read_bytes() if self.path.exists() else b"credentials: {}"
        if content != self._read[0]:
            self._read = content, dict(yaml.load(content, Loader=_LOADER))  # noqa: S506 - a safe one
        return self._read[1]

    def stored(self) -> dict[str, dict[str, str]]:
        """The credentials in it."""
        return dict(self.content()["credentials"])

    def copy(self, number: int) -> World:
        """The same in a folder of its own."""
        folder = self.path.with_name(f"copy{number}")
        folder.mkdir(exist_ok=True)
        other = copy.copy(self)
        other.path = folder / "store"
        if self.path.exists():
            other.path.write_bytes(self.path.read_bytes())
        return other

    def check(self, what: str) -> None:
        """What holds at every moment. what: what has just happened."""

    def run(self, kind: type[Run], *arguments: Any, kill_at: Optional[int] = None) -> Any:
        """Run it; what its `whole` gives. Raises KilledError at this transition."""
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            code = 1
            if not self.is_measured:
                sys.settrace(None)
            try:
                run = kind(self, theirs, kill_at)
                run.send("result", run.whole(*arguments))
                code = 0
            finally:
                self.end(code)
        theirs.close()
        result: Any = None
        with ours, ours.makefile("rb") as incoming, ours.makefile("wb") as outgoing:
            while True:
                try:
                    what, given = pickle.load(incoming)  # noqa: S301 - from our own child
                except EOFError:
                    break
                if what == "result":
                    (result,) = given
                    continue
                pickle.dump(getattr(self, f"_do_{what}")(*given), outgoing)
                outgoing.flush()
                self.check(what)
        _pid, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == KILLED:
            raise KilledError
        assert code == 0, "the child has failed, see what it printed"
        return result

    def _do_written(self) -> None:
        """The store has changed; `check` looks at it."""


class Run:
    """The child: it counts its transitions, and ends at one of them."""

    def __init__(self, world: World, connection: socket.socket, kill_at: Optional[int]) -> None:
        self._world = world
        self._incoming = connection.makefile("rb")
        self._outgoing = connection.makefile("wb")
        self._kill_at = kill_at
        self._transitions = itertools.count()
        self._moved = True
        # In this child only. The power stays on.
        instead: tuple[tuple[Any, str, Any], ...] = (
            (os, "fsync", lambda _handle: None),
            (_store, "Vault", PlainVault),
            (ssl, "create_default_context", lambda **_: _NO_AUTHORITIES),
        )
        for module, name, value in instead:
            setattr(module, name, value)

    def whole(self, *arguments: Any) -> Any:
        """All of the run."""
        raise NotImplementedError

    def transition(self) -> None:
        """End here if this is the one. Where nothing was changed since the last one, it is the same."""
        if self._moved and next(self._transitions) == self._kill_at:
            self._world.end(KILLED)
        self._moved = False

    def ask(self, what: str, *arguments: Any, changes: bool = True) -> Any:
        """Ask the parent. changes: whether that may change anything that outlives this run."""
        self._moved = self._moved or changes
        self.send(what, *arguments)
        return pickle.load(self._incoming)  # noqa: S301 - from our own parent

    def send(self, what: str, *arguments: Any) -> None:
        """Tell the parent."""
        pickle.dump((what, arguments), self._outgoing)
        self._outgoing.flush()

    def store(self) -> _store.Store:
        """The store; each write is a transition."""
        run = self

        class Watched(_store.Store):
            """It tells the run."""

            def write(self, credentials: Any, *, check: bool = False) -> None:
                run.transition()
                super().write(credentials, check=check)
                run.ask("written")
                run.transition()

        return Watched(str(self._world.path), None)


AWorld = TypeVar("AWorld", bound=World)


def kill_everywhere(make: Callable[[int], AWorld], run: Callable[[AWorld, int], Any]) -> Iterator[AWorld]:
    """Give the world for each transition, after a run that was killed there."""
    for number in range(MOST):
        world = make(number)
        try:
            run(world, number)
        except KilledError:
            yield world
            continue
        assert number > 4, "a run has more transitions than that"
        return
    raise AssertionError("it never ends")
