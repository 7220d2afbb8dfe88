# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person enters in Thunderbird's own dialogue where nobody manages their computer. Pure, no I/O, no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# English and German names as Thunderbird 153 and its German language pack show them.
ACCOUNT_SETTINGS = ("Account Settings", "Konten-Einstellungen")
OUTGOING_SERVER = ("Outgoing Server", "Postausgangs-Server")
ADD = ("Add…", "Hinzufügen…")
DESCRIPTION = ("Description", "Beschreibung")
SERVER_NAME = ("Server Name", "Server")
PORT = ("Port", "Port")
CONNECTION_SECURITY = ("Connection security", "Verbindungssicherheit")
AUTHENTICATION_METHOD = ("Authentication method", "Authentifizierungsmethode")
USER_NAME = ("User Name", "Benutzername")
NORMAL_PASSWORD = ("Normal password", "Passwort, normal")
REMEMBER = (
    "Use Password Manager to remember this password.",
    "Die Passwortverwaltung benutzen, um dieses Passwort zu speichern.",
)
NO_AUTHENTICATION = ("No authentication", "Keine Authentifizierung")


def settings_by_hand(people: Sequence[Mapping[str, str]], smarthost: str, port: int) -> list[str]:
    """Give the lines that say what to enter in which field, in English and German.

    `people`: each with the `address` that they send as and their `login`, which is empty for a smarthost that knows
    the network.
    """
    lines = [f"  {' > '.join(names)}" for names in zip(ACCOUNT_SETTINGS, OUTGOING_SERVER, ADD)]
    lines += [
        _field(DESCRIPTION, "Smarthost"),
        _field(SERVER_NAME, smarthost),
        _field(PORT, str(port)),
        _field(CONNECTION_SECURITY, "STARTTLS"),
    ]
    logins: dict[str, list[str]] = {}
    for person in people:
        if person["login"]:
            logins.setdefault(person["login"], []).append(person["address"])
    lines.append(_field(AUTHENTICATION_METHOD, " | ".join(NORMAL_PASSWORD if logins else NO_AUTHENTICATION)))
    names = USER_NAME
    for login, addresses in logins.items():
        lines.append(_field(names, login if addresses == [login] else f"{login}  ({', '.join(addresses)})"))
        names = ("", "")
    address = people[0]["address"] if len(people) == 1 else "…"
    # The account's own page has the field that chooses the server.
    lines += [f"  {own} > {address} > {server}: Smarthost" for own, server in zip(ACCOUNT_SETTINGS, OUTGOING_SERVER)]
    if logins:
        lines.append(f"  At the first mail, with the password: {' | '.join(REMEMBER)}")
    return lines


def _field(names: tuple[str, str], value: str) -> str:
    return f"    {names[0]:23} {names[1]:27} {value}"
