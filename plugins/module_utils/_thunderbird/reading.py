# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As what the profiles of a person send through one server, and with which passwords. Writes nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from . import nss, profiles
from .child import Owner, person_named, run_as
from .errors import ThunderbirdError, sentence
from .files import read
from .installation import Installation, installations, libraries
from .preferences import Preferences
from .profile import PREFERENCES, saved_logins
from .server import OutgoingServer, servers_of

#: A profile, who it belongs to, and its servers; see RETURN of thunderbird_outgoing_server_info.
Look = dict[str, Any]


def look_at_person(name: str, host: str, program_directory: str, nss_library: str, *, passwords: bool) -> list[Look]:
    """The profiles in use of this person that send through `host`, read with the rights of that person.

    Raises ThunderbirdError where there is no such person, or their profiles cannot be told apart.
    """
    person = person_named(name)
    home = Path(person.pw_dir)

    def work() -> list[Look]:
        if not home.is_dir():
            return []
        installed = installations(program_directory, home)
        paths = profiles.find(home, every=False)
        looks = (_look(name, path, host, installed, nss_library, passwords=passwords) for path in paths)
        return [look for look in looks if look["servers"] or look["reason"]]

    return list(run_as(Owner(person.pw_uid, person.pw_gid), work))


def _look(
    name: str, path: Path, host: str, installed: list[Installation], nss_library: str, *, passwords: bool
) -> Look:
    look: Look = {"user": name, "path": str(path), "servers": [], "reason": ""}
    try:
        found = servers_of(Preferences(read(path / PREFERENCES) or b""))
        ours = [server for server in found if server.host.lower() == host and server.login]
        look["servers"] = [{"login": server.login, "port": server.port} for server in ours]
        if passwords and ours:
            keys = nss.Keys(libraries(path, nss_library, installed), "")
            for server, shown in zip(ours, look["servers"]):
                password = _password(path, keys, server)
                if password:
                    # Not as it is: ansible-core would search the result for it.
                    shown["password"] = base64.b64encode(password.encode("utf-8", "surrogateescape")).decode()
    except (ThunderbirdError, OSError) as error:
        look["reason"] = sentence(error)
    return look


def _password(path: Path, keys: nss.Keys, server: OutgoingServer) -> str:
    """The password that is saved for this server; empty where none is."""
    saved = [login for login in saved_logins(path).logins if login["hostname"].lower() == server.origin.lower()]
    if not saved:
        return ""
    encrypted = [login[name] for login in saved for name in ("encryptedUsername", "encryptedPassword")]
    plain = nss.decrypt(path, keys, encrypted)
    return dict(zip(plain[::2], plain[1::2])).get(server.login, "")
