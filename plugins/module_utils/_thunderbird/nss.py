# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypt and decrypt saved logins with the NSS library of the Thunderbird that reads them (no extra package).

Function names, result codes and flags: NSS, lib/nss/nss.h, lib/pk11wrap/pk11sdr.h. The library keeps global state and
may crash on a damaged database, so every use is one short child process.
"""

from __future__ import annotations

import base64
import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from . import child
from .errors import ThunderbirdError

# pkcs11.txt is left out: it names the directory that it was made in and may load smart card drivers.
# In this order: a run that is killed between the two leaves what Thunderbird makes complete by itself.
CERTIFICATE_DATABASE, KEY_DATABASE = DATABASES = ("cert9.db", "key4.db")
CHILD_SECONDS = 60

_READ_ONLY, _NO_MODULE_DATABASE, _NO_ROOT_CERTIFICATES = 0x1, 0x4, 0x10
_BAD_PASSWORD = -8177
_AES_CBC = 0x1082
# Loaded by path first: they stand beside the library, where the loader does not look, and without them NSS would
# silently take the token, which does the actual work, from the system. That one may be too old for the profile.
_DEPENDENCIES = ("libnspr4.so", "libplc4.so", "libplds4.so", "libnssutil3.so", "libmozsqlite3.so")
_WORKER = "libsoftokn3.so"
# DER of the object identifier 2.16.840.1.101.3.4.1.42, AES-256 in CBC mode.
_AES_IDENTIFIER = bytes.fromhex("060960864801650304012a")


class Keys(NamedTuple):
    """What opens a profile's key database."""

    libraries: Sequence[str]
    primary_password: str


class _Item(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("length", ctypes.c_uint))


def is_aes(encrypted: str) -> bool:
    """Was this encrypted with AES (Thunderbird from NSS 3.113 on), and not with 3DES?"""
    try:
        return _AES_IDENTIFIER in base64.b64decode(encrypted)
    except ValueError:
        return False


def decrypt(profile: Path, keys: Keys, encrypted: Sequence[str]) -> list[str]:
    """The plain texts; also proves that the library loads and that the primary password is right.

    Reads the databases of `profile` and touches none. Raises ThunderbirdError.
    """

    def work() -> list[str]:
        library = _Library(keys.libraries)
        if not encrypted and not (profile / KEY_DATABASE).exists():
            return []
        library.open(openable, read_only=True)
        if library.is_new() and not encrypted:
            return []
        library.log_in(keys.primary_password)
        return [library.decrypt(text) for text in encrypted]

    with _both_databases(profile, keys) as openable:
        return list(child.run(work, CHILD_SECONDS))


@contextmanager
def _both_databases(profile: Path, keys: Keys) -> Iterator[Path]:
    """A directory in which NSS can read the keys of `profile`.

    NSS reads both databases or none, and people remove cert9.db to be rid of certificates; Thunderbird makes a new one
    at its next start. In its absence this is a directory with an empty one, and a link to the keys: no copy.
    """
    if (profile / CERTIFICATE_DATABASE).exists() or not (profile / KEY_DATABASE).exists():
        yield profile
        return

    def make() -> None:
        library = _Library(keys.libraries)
        library.open(Path(name), read_only=False)
        library.close()

    # Not in TMPDIR, which may be root's own; and in check mode the profile stays untouched.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        child.run(make, CHILD_SECONDS)
        (Path(name) / KEY_DATABASE).unlink()
        (Path(name) / KEY_DATABASE).symlink_to(profile.resolve() / KEY_DATABASE)
        yield Path(name)


def encrypt(directory: Path, keys: Keys, plain: Sequence[str], *, aes: bool) -> list[str]:
    """The texts encrypted with the key in `directory`, which gets databases and a key where it has none.

    Writes there: give it a copy of the profile's databases. Raises ThunderbirdError.
    """

    def work() -> list[str]:
        library = _Library(keys.libraries)
        library.open(directory, read_only=False)
        if library.is_new():
            library.start_without_password()
        library.log_in(keys.primary_password)
        encrypted = [library.encrypt(text, aes=aes) for text in plain]
        library.close()
        return encrypted

    return list(child.run(work, CHILD_SECONDS))


class _Library:
    """One loaded NSS; for one process and one directory."""

    def __init__(self, candidates: Sequence[str]) -> None:
        self._nss = self._load(candidates)
        pointer, item = ctypes.c_void_p, ctypes.POINTER(_Item)
        self._nss.NSS_GetVersion.restype = ctypes.c_char_p
        self._nss.PK11_GetInternalKeySlot.restype = pointer
        for name, arguments in {
            "NSS_Initialize": [ctypes.c_char_p] * 4 + [ctypes.c_uint32],
            "PK11_NeedUserInit": [pointer],
            "PK11_NeedLogin": [pointer],
            "PK11_FreeSlot": [pointer],
            "PK11_InitPin": [pointer, ctypes.c_char_p, ctypes.c_char_p],
            "PK11_CheckUserPassword": [pointer, ctypes.c_char_p],
            "PK11SDR_Decrypt": [item, item, pointer],
            "PK11SDR_Encrypt": [item, item, item, pointer],
        }.items():
            getattr(self._nss, name).argtypes = arguments
        if hasattr(self._nss, "PK11SDR_EncryptWithMechanism"):
            self._nss.PK11SDR_EncryptWithMechanism.argtypes = [pointer, item, ctypes.c_ulong, item, item, pointer]

    def _load(self, candidates: Sequence[str]) -> Any:
        reasons = []
        for candidate in candidates:
            try:
                for dependency in _DEPENDENCIES:
                    path = Path(candidate).with_name(dependency)
                    if "/" in candidate and path.exists():
                        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                library = ctypes.CDLL(candidate)
                self._name = candidate
            except OSError as error:
                reasons.append(str(error))
            else:
                return library
        raise ThunderbirdError(
            "the NSS library that encrypts saved logins was not found; install Thunderbird or give nss_library "
            f"(tried: {'; '.join(reasons)})",
            "not_installed",
        )

    def open(self, directory: Path, *, read_only: bool) -> None:
        flags = _NO_MODULE_DATABASE | _NO_ROOT_CERTIFICATES | (_READ_ONLY if read_only else 0)
        if self._nss.NSS_Initialize(b"sql:" + str(directory).encode(), b"", b"", b"secmod.db", flags):
            raise self._failure("the key database key4.db cannot be opened")
        worker = Path(self._name).with_name(_WORKER)
        is_near = "/" in self._name and worker.exists()
        if is_near and str(worker.resolve()) not in Path("/proc/self/maps").read_text():
            raise ThunderbirdError(f"{worker} cannot be loaded together with {self._name}; give another nss_library")
        self._slot = self._nss.PK11_GetInternalKeySlot()

    def is_new(self) -> bool:
        """Has the database no password yet, not even the empty one?"""
        return bool(self._nss.PK11_NeedUserInit(self._slot))

    def start_without_password(self) -> None:
        if self._nss.PK11_InitPin(self._slot, None, b""):
            raise self._failure("a new key database cannot be made")

    def log_in(self, primary_password: str) -> None:
        locked = bool(self._nss.PK11_NeedLogin(self._slot))
        if locked and not primary_password:
            raise ThunderbirdError(
                "the profile has a primary password; give it as primary_password", "primary_password"
            )
        if self._nss.PK11_CheckUserPassword(self._slot, primary_password.encode() if locked else b""):
            if locked and self._nss.PORT_GetError() == _BAD_PASSWORD:
                raise ThunderbirdError("the primary password is wrong", "primary_password")
            raise self._failure("the key database key4.db cannot be read")

    def decrypt(self, encrypted: str) -> str:
        try:
            source = _item(base64.b64decode(encrypted))
        except ValueError:
            raise ThunderbirdError("a saved login in logins.json is damaged") from None
        plain = _Item()
        if self._nss.PK11SDR_Decrypt(source, plain, None):
            raise self._failure("a saved login cannot be decrypted with the profile's key database")
        return _bytes(plain).decode("utf-8", "surrogateescape")

    def encrypt(self, plain: str, *, aes: bool) -> str:
        key, encrypted, source = _Item(), _Item(), _item(plain.encode("utf-8", "surrogateescape"))
        if aes:
            if not hasattr(self._nss, "PK11SDR_EncryptWithMechanism"):
                raise self._failure("the profile's logins use AES, which this NSS does not know")
            failed = self._nss.PK11SDR_EncryptWithMechanism(self._slot, key, _AES_CBC, source, encrypted, None)
        else:
            failed = self._nss.PK11SDR_Encrypt(key, source, encrypted, None)
        if failed:
            raise self._failure("the login cannot be encrypted with the profile's key database")
        return base64.b64encode(_bytes(encrypted)).decode("ascii")

    def close(self) -> None:
        self._nss.PK11_FreeSlot(self._slot)
        if self._nss.NSS_Shutdown():
            raise self._failure("the key database cannot be closed")

    def _failure(self, what: str) -> ThunderbirdError:
        library = f"NSS {self._nss.NSS_GetVersion().decode()} from {self._name}"
        return ThunderbirdError(
            f"{what} (error {self._nss.PORT_GetError()} of {library}); "
            "if another Thunderbird uses the profile, give its library as nss_library"
        )


def _item(data: bytes) -> _Item:
    buffer = ctypes.create_string_buffer(data, len(data))
    item = _Item(0, ctypes.cast(buffer, ctypes.c_void_p), len(data))
    item.buffer = buffer  # keeps the memory alive as long as the item
    return item


def _bytes(item: _Item) -> bytes:
    return ctypes.string_at(item.data, item.length)
