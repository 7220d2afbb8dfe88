# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that belong to somebody else, by the files that their software leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import host_manager

RED_HAT = {"usr/sbin/sendmail": "/etc/alternatives/mta"}


def put(root: Path, path: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("", encoding="utf-8")
    return file


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


@pytest.mark.parametrize(
    ("path", "panel"),
    [
        ("usr/local/psa/version", "Plesk"),
        ("usr/local/cpanel/version", "cPanel"),
        ("usr/local/ispconfig/interface/x", "ISPConfig"),
        ("opt/mailcow-dockerized/mailcow.conf", "Mailcow"),
        ("etc/mailinabox.conf", "Mail-in-a-Box"),
        ("etc/keyhelp/config/config.json", "KeyHelp"),
        ("usr/local/vesta/conf/vesta.conf", "VestaCP"),
        ("usr/local/hestia/conf/hestia.conf", "HestiaCP"),
        ("etc/hestiacp/hestia.conf", "HestiaCP"),
        ("etc/NIXOS", "NixOS"),
    ],
)
def test_panels(tmp_path: Path, path: str, panel: str) -> None:
    put(tmp_path, path)
    sentence = host_manager.objection(tmp_path)
    assert sentence is not None
    assert sentence.startswith(f"{panel} manages the mail of this host")


def test_what_to_do_in_plesk_and_in_nixos(tmp_path: Path) -> None:
    put(tmp_path, "usr/local/psa/version")
    assert "from 18.0.64 on it has a setting for that" in str(host_manager.objection(tmp_path))
    put(tmp_path / "nix", "etc/NIXOS")
    assert "services.postfix" in str(host_manager.objection(tmp_path / "nix"))


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ('## Type: yesno\nMAIL_CREATE_CONFIG="yes"\n', True),
        ("MAIL_CREATE_CONFIG=yes", True),
        ("MAIL_CREATE_CONFIG='Yes'  # as always\n", True),
        ('MAIL_CREATE_CONFIG="no"\nMAIL_CREATE_CONFIG="yes"\n', True),
        ('MAIL_CREATE_CONFIG="yes"\nMAIL_CREATE_CONFIG="no"\n', False),
        ('# MAIL_CREATE_CONFIG="yes"\n', False),
        ('MAIL_CREATE_CONFIG=""\n', False),
        ("\xff\n", False),
        (None, False),
    ],
)
def test_suse_writes_main_cf_itself(tmp_path: Path, content: str | None, written: bool) -> None:
    """SLES and openSUSE set it so when Postfix is installed."""
    file = put(tmp_path, host_manager.SUSE_SETTING)
    file.unlink() if content is None else file.write_bytes(content.encode("latin-1"))
    sentence = host_manager.objection(tmp_path)
    assert (sentence is not None) == written
    if sentence:
        assert 'MAIL_CREATE_CONFIG is "yes" in /etc/sysconfig/mail; set it to "no" there, then run again.' in sentence


@pytest.mark.parametrize(
    ("links", "file", "server"),
    [
        ({"usr/sbin/sendmail": "exim4"}, "usr/sbin/exim4", "Exim"),
        ({**RED_HAT, "etc/alternatives/mta": "/usr/sbin/sendmail.exim"}, "usr/sbin/sendmail.exim", "Exim"),
        ({**RED_HAT, "etc/alternatives/mta": "/usr/sbin/sendmail.sendmail"}, "usr/sbin/sendmail.sendmail", "Sendmail"),
        ({"usr/sbin/sendmail": "/usr/libexec/sendmail-msp"}, "usr/libexec/sendmail-msp", "Sendmail"),
        ({"usr/sbin/sendmail": "/usr/lib/sm.bin/sendmail"}, "usr/lib/sm.bin/sendmail", "Sendmail"),
        ({"usr/sbin/sendmail": "smtpctl"}, "usr/sbin/smtpctl", "OpenSMTPD"),
        ({"usr/sbin/sendmail": "../bin/msmtp"}, "usr/bin/msmtp", "msmtp"),
        ({"usr/sbin/sendmail": "ssmtp"}, "usr/sbin/ssmtp", "sSMTP"),
        ({"usr/lib/sendmail": "/usr/sbin/dma"}, "usr/sbin/dma", "DragonFly Mail Agent"),
    ],
)
def test_other_mail_servers(tmp_path: Path, links: dict[str, str], file: str, server: str) -> None:
    put(tmp_path, file)
    for path, target in links.items():
        link(tmp_path, path, target)
    sentence = host_manager.objection(tmp_path)
    assert sentence is not None
    assert sentence.startswith(f"{server} handles the mail of this host, not Postfix")
    assert ("outgoing_mail_replace_mail_server" in sentence) == (server == "Exim")


@pytest.mark.parametrize(
    "links",
    [
        {},
        {**RED_HAT, "etc/alternatives/mta": "/usr/sbin/sendmail.postfix"},
        {"usr/lib/sendmail": "../sbin/sendmail"},
        RED_HAT,
    ],
)
def test_hosts_of_postfix_and_of_nobody(tmp_path: Path, links: dict[str, str]) -> None:
    for path, target in links.items():
        link(tmp_path, path, target)
    for path in ("usr/sbin/sendmail.postfix", "usr/sbin/sendmail"):
        if path not in links:
            put(tmp_path, path)
    assert host_manager.objection(tmp_path) is None


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    link(tmp_path, "usr/sbin/sendmail", "/usr/sbin/sendmail")
    assert host_manager.objection(tmp_path) is None
