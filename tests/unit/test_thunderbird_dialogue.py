# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told to enter by hand."""

from __future__ import annotations

from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.dialogue import settings_by_hand


def test_every_field_in_both_languages() -> None:
    people = [
        {"address": "alice@example.com", "login": "alice@example.com"},
        {"address": "info@example.com", "login": "example.com"},
        {"address": "sales@example.com", "login": "example.com"},
    ]
    assert settings_by_hand(people, "smarthost.test", 587) == [
        "  Account Settings > Outgoing Server > Add…",
        "  Konten-Einstellungen > Postausgangs-Server > Hinzufügen…",
        "    Description             Beschreibung                Smarthost",
        "    Server Name             Server                      smarthost.test",
        "    Port                    Port                        587",
        "    Connection security     Verbindungssicherheit       STARTTLS",
        "    Authentication method   Authentifizierungsmethode   Normal password | Passwort, normal",
        "    User Name               Benutzername                alice@example.com",
        "                                                        example.com  (info@example.com, sales@example.com)",
        "  Account Settings > … > Outgoing Server: Smarthost",
        "  Konten-Einstellungen > … > Postausgangs-Server: Smarthost",
        "  At the first mail, with the password: Use Password Manager to remember this password."
        " | Die Passwortverwaltung benutzen, um dieses Passwort zu speichern.",
    ]


def test_without_a_login_there_is_no_user_name_and_no_password() -> None:
    lines = settings_by_hand([{"address": "alice@example.com", "login": ""}], "smarthost.test", 587)
    assert lines[-3:] == [
        "    Authentication method   Authentifizierungsmethode   No authentication | Keine Authentifizierung",
        "  Account Settings > alice@example.com > Outgoing Server: Smarthost",
        "  Konten-Einstellungen > alice@example.com > Postausgangs-Server: Smarthost",
    ]
