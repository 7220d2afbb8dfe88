# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person enters in Thunderbird's own dialogue where nobody manages their computer. Pure, no I/O, no secret."""

from __future__ import annotations

from collections.abc import Sequence

# English and German names as Thunderbird 153 and its German language pack show them.
ACCOUNT_SETTINGS = ("Account Settings", "Konten-Einstellungen")
OUTGOING_SERVER = ("Outgoing Server", "Postausgangs-Server")
ADD = ("Add…", "Hinzufügen…")
DESCRIPTION = ("Description", "Beschreibung")
SERVER_NAME = ("Server Name", "Server")
PORT = ("Port", "Port")
# How TLS begins, in either language: by whether it does so before the first word.
SECURITY = {False: "STARTTLS", True: "SSL/TLS"}
CONNECTION_SECURITY = ("Connection security", "Verbindungssicherheit")
AUTHENTICATION_METHOD = ("Authentication method", "Authentifizierungsmethode")
USER_NAME = ("User Name", "Benutzername")
NORMAL_PASSWORD = ("Normal password", "Passwort, normal")
REMEMBER = (
    "Use Password Manager to remember this password.",
    "Die Passwortverwaltung benutzen, um dieses Passwort zu speichern.",
)


def settings_by_hand(logins: Sequence[str], smarthost: str, port: int, *, implicit_tls: bool) -> list[str]:
    """Give the lines that say what to enter in which field, in English and German.

    `logins`: at least one; each is also the address that its owner sends as. `implicit_tls`: TLS comes before the first
    word, as on port 465.
    """
    lines = [f"  {' > '.join(names)}" for names in zip(ACCOUNT_SETTINGS, OUTGOING_SERVER, ADD)]
    lines += [
        _field(DESCRIPTION, "Smarthost"),
        _field(SERVER_NAME, smarthost),
        _field(PORT, str(port)),
        _field(CONNECTION_SECURITY, SECURITY[implicit_tls]),
        _field(AUTHENTICATION_METHOD, " | ".join(NORMAL_PASSWORD)),
        _field(USER_NAME, logins[0]),
        *(_field(("", ""), login) for login in logins[1:]),
    ]
    address = logins[0] if len(logins) == 1 else "…"
    # The account's own page has the field that chooses the server.
    lines += [f"  {own} > {address} > {server}: Smarthost" for own, server in zip(ACCOUNT_SETTINGS, OUTGOING_SERVER)]
    return [*lines, f"  At the first mail, with the password: {' | '.join(REMEMBER)}"]


def _field(names: tuple[str, str], value: str) -> str:
    return f"    {names[0]:23} {names[1]:27} {value}"
