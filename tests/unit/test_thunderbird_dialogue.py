# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told to enter by hand."""

from __future__ import annotations

from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.dialogue import settings_by_hand


def test_every_field_in_both_languages() -> None:
    assert settings_by_hand(["alice@example.com", "info@example.com"], "smarthost.test", 587, implicit_tls=False) == [
        "  Account Settings > Outgoing Server > Add…",
        "  Konten-Einstellungen > Postausgangs-Server > Hinzufügen…",
        "    Description             Beschreibung                Smarthost",
        "    Server Name             Server                      smarthost.test",
        "    Port                    Port                        587",
        "    Connection security     Verbindungssicherheit       STARTTLS",
        "    Authentication method   Authentifizierungsmethode   Normal password | Passwort, normal",
        "    User Name               Benutzername                alice@example.com",
        "                                                        info@example.com",
        "  Account Settings > … > Outgoing Server: Smarthost",
        "  Konten-Einstellungen > … > Postausgangs-Server: Smarthost",
        "  At the first mail, with the password: Use Password Manager to remember this password."
        " | Die Passwortverwaltung benutzen, um dieses Passwort zu speichern.",
    ]


def test_the_account_of_a_single_person_is_named() -> None:
    assert settings_by_hand(["alice@example.com"], "smarthost.test", 587, implicit_tls=False)[-4:-1] == [
        "    User Name               Benutzername                alice@example.com",
        "  Account Settings > alice@example.com > Outgoing Server: Smarthost",
        "  Konten-Einstellungen > alice@example.com > Postausgangs-Server: Smarthost",
    ]


def test_tls_from_the_first_byte_is_named_as_the_dialogue_names_it() -> None:
    lines = settings_by_hand(["alice@example.com"], "smarthost.test", 465, implicit_tls=True)
    assert "    Connection security     Verbindungssicherheit       SSL/TLS" in lines
    assert not any("STARTTLS" in line for line in lines)
