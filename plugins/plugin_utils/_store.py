# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a credential store: read, written whole or not at all, and kept for one run."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Optional, cast

from ..module_utils._files import sync_folder
from ..module_utils._names import InputError
from ._credentials import Credential, Credentials
from ._run import RunGoneError, is_running, start_of, this_run
from ._vault import Key, Vault, VaultError

#: Bytes: a name of a host has 255 at most.
_LONGEST_MARK = 4096


class StoreError(ValueError):
    """The store cannot be used; one sentence without a secret."""


class _State(NamedTuple):
    """What makes a file another one: each write replaces it, and a person's editor at least dates it anew."""

    inode: tuple[int, int]
    size: int
    changed: tuple[int, int]
    secrets: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, handle: int, vault: Vault) -> _State:
        """The state of an open file, for a run with these vault passwords."""
        status = os.fstat(handle)
        changed = (status.st_mtime_ns, status.st_ctime_ns)
        return cls((status.st_dev, status.st_ino), status.st_size, changed, vault.secrets)


class _Known(NamedTuple):
    """What a file has held, and its key."""

    state: _State
    credentials: Credentials
    key: Key


#: What this process has read already, as decrypting takes long, and a task may ask for many credentials.
_READ: dict[Path, _Known] = {}


class Store:
    """One file. `vault_id` is for a new file; an existing one keeps its own."""

    def __init__(self, path: str, loader: Any, vault_id: Optional[str] = None) -> None:
        self.path = Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111 - Path's own raises for a ~ that is nobody's
        self.vault_id = vault_id or ""
        self._loader = loader
        self._key: Optional[Key] = None

    def read(self, *, missing: bool = False) -> Credentials:
        """What the store holds. With `missing`, a store that is not there yet is an empty one."""
        with self._explained():
            return self._opened(missing=missing).copy()

    def find(self, names: Iterable[str]) -> list[Credential]:
        """Some credentials, without a look at the others."""
        with self._explained():
            opened = self._opened(missing=False)
            return [opened.get(name) for name in names]

    def _opened(self, *, missing: bool) -> Credentials:
        """The credentials, for reading only: another caller in this process may get the same."""
        vault = Vault(self._loader)
        try:
            with self.path.open("rb") as stream:
                state = _State.of(stream.fileno(), vault)
                known = _READ.get(self.path)
                if known is None or known.state != state:
                    plain, key = vault.decrypt(stream.read())
                    found = Credentials.from_text(plain.decode("utf-8", "surrogateescape"))
                    known = _READ[self.path] = _Known(state, found, key)
        except FileNotFoundError:
            if not missing:
                raise
            self._key = vault.key(self.vault_id)
            return Credentials()
        self._key = known.key
        return known.credentials

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (VaultError, InputError) as problem:
            raise StoreError(f"credential store {self.path}: {problem}.") from None
        except OSError as problem:
            raise StoreError(f"credential store {self.path} cannot be read: {problem.strerror}.") from None

    @property
    def used_vault_id(self) -> str:
        """The vault id of the file that was read, or will be written."""
        return self._key.vault_id if self._key else ""

    def write(self, credentials: Credentials, *, check: bool = False) -> None:
        """Replace the file; after an error, or a kill at any moment, the old one is as it was. It was read before.

        With `check`, only find out whether that would work. The space is really taken, by a file without a name.
        """
        plain = credentials.to_text().encode("utf-8", "surrogateescape")
        content = Vault(self._loader).encrypt(plain, cast(Key, self._key))
        self.this_run()
        _READ.pop(self.path, None)
        try:
            if check:
                with tempfile.TemporaryFile(dir=self.path.parent) as stream:
                    stream.write(content)
                return
            self._replace(content)
        except OSError as problem:
            raise StoreError(
                f"credential store {self.path} cannot be written: {problem.strerror}; it is as it was before."
            ) from None
        try:
            sync_folder(self.path.parent)
        except OSError as problem:
            raise StoreError(
                f"credential store {self.path} was written, but a loss of power may undo that, as its folder cannot be "
                f"synchronised: {problem.strerror}; mend that disk, and run again."
            ) from None

    def _replace(self, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                with suppress(FileNotFoundError):
                    before = self.path.stat()
                    os.fchmod(stream.fileno(), before.st_mode & 0o777)
                    with suppress(PermissionError):
                        os.fchown(stream.fileno(), before.st_uid, before.st_gid)
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink()
            raise

    # One at a time

    @property
    def lock_path(self) -> Path:
        """The file that is locked for the moment of a change, and names the run that keeps the store for itself."""
        return self.path.with_name(f".{self.path.name}.lock")

    def this_run(self) -> int:
        """The process id of this run of Ansible. Raises StoreError where it was killed, as nothing is written then."""
        try:
            return this_run()
        except RunGoneError as problem:
            raise StoreError(f"credential store {self.path} is not changed, as {problem}.") from None

    @contextmanager
    def locked(self, run: int) -> Iterator[None]:
        """Nobody else changes the store meanwhile. `run` is the process id of this run of Ansible.

        Raises StoreError where another run, which still lives, keeps the store for itself, or where this one has ended.
        """
        with self._lock_file(os.O_RDWR | os.O_CREAT) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as problem:
                raise self._lock_error("locked", problem) from None
            self._refuse_other(handle, run)
            self.this_run()
            yield

    def check_lock(self, run: int) -> None:
        """Raise the error that `locked` would raise; leaves no trace."""
        try:
            with self._lock_file(os.O_RDWR) as handle:
                self._refuse_other(handle, run)
        except FileNotFoundError:
            try:
                tempfile.TemporaryFile(dir=self.path.parent).close()
            except OSError as problem:
                raise self._lock_error("locked", problem) from None

    @contextmanager
    def _lock_file(self, flags: int) -> Iterator[int]:
        try:
            handle = os.open(self.lock_path, flags | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            if isinstance(problem, FileNotFoundError) and not flags & os.O_CREAT:
                raise
            raise self._lock_error("locked", problem) from None
        try:
            yield handle
        finally:
            os.close(handle)

    def hold(self, run: int) -> None:
        """Keep the store for this run until it ends; call it while `locked`, and before anything is written."""
        mark = {"host": socket.gethostname(), "process": run, "started": start_of(run)}
        self.this_run()  # so the start is that of this run, and not empty because it has ended
        try:
            self._mark(json.dumps(mark) + "\n")
        except OSError as problem:
            raise self._lock_error("kept for this run", problem) from None

    def release(self) -> None:
        """Let other runs have the store; call it while `locked`."""
        try:
            self._mark("")
        except OSError as problem:
            raise StoreError(
                f"credential store {self.path} cannot be given back: {problem.strerror} ({self.lock_path}); other runs "
                "can have it when this one has ended."
            ) from None

    def _mark(self, line: str) -> None:
        """Write over the line from before. It stands in the very file that is locked, so that is not replaced."""
        with self.lock_path.open("r+b") as file:
            file.write(line.encode())
            file.truncate()

    def _lock_error(self, wish: str, problem: OSError) -> StoreError:
        return StoreError(
            f"credential store {self.path} cannot be {wish}: {problem.strerror} ({self.lock_path}); it is as it was "
            "before."
        )

    def _refuse_other(self, handle: int, run: int) -> None:
        try:
            mark = json.loads(os.pread(handle, _LONGEST_MARK, 0))
            host, process, started = str(mark["host"]), int(mark["process"]), str(mark["started"])
        except OSError as problem:
            raise self._lock_error("locked", problem) from None
        except (ValueError, KeyError, TypeError):
            return  # nobody, or a line that a kill cut off before its run did anything
        if host != socket.gethostname():
            raise StoreError(
                f"credential store {self.path} is kept by a run on {host} (process {process}); wait until it has "
                f"ended. If it is gone for good, remove {self.lock_path} and run again."
            )
        if process > 0 and process != run and is_running(process, started):
            raise StoreError(
                f"credential store {self.path} is kept by another run (process {process}); wait until it has ended. "
                f"If that process is no run of Ansible, remove {self.lock_path} and run again."
            )
