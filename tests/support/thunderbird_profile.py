# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles for tests that need no running Thunderbird, with real key databases, and what can be seen of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import nss
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.logins import EMPTY, LoginsFile

from tests.support.preferences import PreferenceValue, read_preferences, write_preferences

#: Thunderbird's own NSS and, on Debian 12, an older one of the system.
PROGRAM_LIBRARY = "/usr/lib/thunderbird/libnss3.so"
SYSTEM_LIBRARY = "libnss3.so"
#: From NSS 3.113 on, so in Thunderbird 153 and not in 140, logins are AES; before, 3DES is all there is.
KNOWS_AES = Path(PROGRAM_LIBRARY).exists() and b"PK11SDR_EncryptWithMechanism" in Path(PROGRAM_LIBRARY).read_bytes()

PREFERENCES: dict[bytes, PreferenceValue] = {
    b"app.update.lastUpdateTime.addon-background-update-timer": 1795465007,
    b"mail.account.account1.identities": b"id1,id2",
    b"mail.account.account1.server": b"server1",
    b"mail.accountmanager.accounts": b"account1",
    b"mail.accountmanager.defaultaccount": b"account1",
    b"mail.identity.id1.fullName": 'Alice "Allie" \\ Müller\u2028'.encode(),
    b"mail.identity.id1.smtpServer": b"smtp1",
    b"mail.identity.id1.useremail": b"alice@example.org",
    b"mail.identity.id2.useremail": b"info@example.com",
    b"mail.server.server1.hostname": b"pop.example.org",
    b"mail.smtp.defaultserver": b"smtp1",
    b"mail.smtpserver.smtp1.authMethod": 3,
    b"mail.smtpserver.smtp1.description": b"Alice's own, in Latin-1: \xe4",
    b"mail.smtpserver.smtp1.hostname": b"smtp.example.org",
    b"mail.smtpserver.smtp1.port": 465,
    b"mail.smtpserver.smtp1.try_ssl": 3,
    b"mail.smtpserver.smtp1.type": b"smtp",
    b"mail.smtpserver.smtp1.username": b"alice",
    b"mail.smtpservers": b"smtp1",
    b"mailnews.start_page.enabled": False,
}
OWN_LOGIN = {"origin": "smtp://smtp.example.org", "username": "alice", "password": "Alice's own"}


def make_profile(path: Path, *, library: str = PROGRAM_LIBRARY, aes: bool = False, primary_password: str = "") -> Path:
    """A profile with an account, a server of its own and its saved password, encrypted by this library."""
    path.mkdir(parents=True, mode=0o700)
    (path / "prefs.js").write_bytes(write_preferences(PREFERENCES))
    (path / "prefs.js").chmod(0o600)
    (path / "times.json").write_text("{}")
    keys = nss.Keys([library], "")
    username, password = nss.encrypt(path, keys, [OWN_LOGIN["username"], OWN_LOGIN["password"]], aes=aes)
    logins = LoginsFile(EMPTY)
    logins.add("{own}", OWN_LOGIN["origin"], username, password)
    (path / "logins.json").write_bytes(logins.content)
    (path / "logins.json").chmod(0o640)
    if primary_password:
        set_primary_password(path, primary_password)
    return path


def add_server(profile: Path, host: str, port: int, login: str, password: str) -> None:
    """Another outgoing server with a saved password, as somebody has entered it by hand."""
    preferences = preferences_of(profile)
    branch = b"mail.smtpserver.smtp2."
    server: dict[bytes, PreferenceValue] = {
        b"authMethod": 3,
        b"hostname": host.encode(),
        b"port": port,
        b"try_ssl": 2,
        b"type": b"smtp",
        b"username": login.encode(),
    }
    preferences |= {branch + name: value for name, value in server.items()}
    preferences |= {b"mail.smtpservers": b"smtp1,smtp2", b"mail.identity.id2.smtpServer": b"smtp2"}
    (profile / "prefs.js").write_bytes(write_preferences(preferences))
    encrypted = nss.encrypt(profile, nss.Keys([PROGRAM_LIBRARY], ""), [login, password], aes=False)
    logins = LoginsFile((profile / "logins.json").read_bytes())
    logins.add("{by hand}", f"smtp://{host}", *encrypted)
    (profile / "logins.json").write_bytes(logins.content)


def set_primary_password(profile: Path, primary_password: str) -> None:
    """Give the profile a primary password, with NSS's own tool (of the system's version)."""
    (profile / "old").write_text("\n")
    (profile / "new").write_text(primary_password + "\n")
    command = ["certutil", "-W", "-d", f"sql:{profile}", "-f", str(profile / "old"), "-@", str(profile / "new")]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("old", "new", "pkcs11.txt"):
        (profile / name).unlink(missing_ok=True)


def read_logins(profile: Path, *, library: str = PROGRAM_LIBRARY, primary_password: str = "") -> list[dict[str, Any]]:
    """Every saved login in clear, as {"origin", "username", "password"}; plus "guid" and whether it is "aes"."""
    logins = json.loads((profile / "logins.json").read_bytes())["logins"]
    encrypted = [login[name] for login in logins for name in ("encryptedUsername", "encryptedPassword")]
    plain = nss.decrypt(profile, nss.Keys([library], primary_password), encrypted)
    return [
        {
            "origin": login["hostname"],
            "username": username,
            "password": password,
            "guid": login["guid"],
            "aes": nss.is_aes(login["encryptedPassword"]),
        }
        for login, username, password in zip(logins, plain[::2], plain[1::2])
    ]


def passwords(
    profile: Path, *, library: str = PROGRAM_LIBRARY, primary_password: str = ""
) -> dict[tuple[str, str], str]:
    """(origin, username) -> password of every saved login."""
    found = read_logins(profile, library=library, primary_password=primary_password)
    return {(login["origin"], login["username"]): login["password"] for login in found}


def preferences_of(profile: Path) -> dict[bytes, PreferenceValue]:
    """What the other reader finds in prefs.js."""
    return read_preferences((profile / "prefs.js").read_bytes())


def snapshot(*roots: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below the roots: (inode, time of change in ns, content); equal only where nothing was touched."""
    seen = {}
    for root in roots:
        for path in [root, *sorted(root.rglob("*"))]:
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            seen[str(path)] = (status.st_ino, status.st_mtime_ns, content)
    return seen


@contextmanager
def in_use(profile: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold Thunderbird's lock in a process of its own, as a running one would; it ends with its input."""
    holder = (
        "import fcntl, os, sys\n"
        "lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)\n"
        "fcntl.lockf(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", holder, str(profile / ".parentlock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
