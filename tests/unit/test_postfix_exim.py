# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Exim that Debian has brought along, and one that somebody may miss. The real one is in test_postfix_releases."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import exim
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Answer, PostfixError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.exim import Exim, in_use

# As Debian 12 and 13 make it.
SETTINGS = """\
# This is a Debian specific file

dc_eximconfig_configtype='local'
dc_other_hostnames='web1.example.com'
dc_local_interfaces='127.0.0.1 ; ::1'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
START = "# /etc/default/exim4\nEX4DEF_VERSION=''\nQUEUERUNNER='combined'\nQUEUEINTERVAL='30m'\nSMTPLISTENEROPTIONS=''\n"
PACKAGES = ["exim4-base", "exim4-config", "exim4-daemon-light"]
IDLE = Exim(
    "exim4-daemon-light", "web1", settings=SETTINGS.splitlines(), start=START.splitlines(), removed=["exim4", *PACKAGES]
)


def with_setting(name: str, value: str) -> list[str]:
    return [*(line for line in IDLE.settings if not line.startswith(f"{name}=")), f"{name}={value}"]


def test_what_debian_brings_along_is_missed_by_nobody() -> None:
    assert in_use(IDLE) == []
    assert in_use(replace(IDLE, package="exim4-daemon-heavy", removed=["exim4-daemon-heavy"])) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dc_use_split_config", "'true'"),
        ("dc_minimaldns", "'true'"),
        ("dc_eximconfig_configtype", "local  # as it was"),
        ("dc_other_hostnames", "''"),
        ("dc_other_hostnames", "'WEB1.example.com:localhost:localhost.localdomain'"),
        # Of the machine on which the image was made, which had no domain.
        ("dc_other_hostnames", "'debian'"),
    ],
)
def test_answers_that_make_no_difference(name: str, value: str) -> None:
    assert in_use(replace(IDLE, settings=with_setting(name, value))) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dc_eximconfig_configtype", "'smarthost'"),
        ("dc_eximconfig_configtype", "'internet'"),
        ("dc_eximconfig_configtype", "'none'"),
        ("dc_smarthost", "'mail.isp.example::587'"),
        ("dc_relay_domains", "'backup.example'"),
        ("dc_relay_nets", "'10.0.0.0/8'"),
        ("dc_readhost", "'example.com'"),
        ("dc_local_interfaces", "''"),
        ("dc_localdelivery", "'maildir_home'"),
        ("dc_local_interfaces", "'127.0.0.1"),
        ("MAIN_TLS_ENABLE", "true"),
    ],
)
def test_answers_by_which_somebody_may_miss_it(name: str, value: str) -> None:
    assert in_use(replace(IDLE, settings=with_setting(name, value))) == [
        f"/etc/exim4/update-exim4.conf.conf says {name}={value}"
    ]


def test_a_program_among_the_answers() -> None:
    lines = [*IDLE.settings, ". /etc/exim4/ours.sh"]
    assert in_use(replace(IDLE, settings=lines)) == ["/etc/exim4/update-exim4.conf.conf says . /etc/exim4/ours.sh"]


@pytest.mark.parametrize(
    ("names", "domains"),
    [
        ("web1.example.com:example.com", "example.com"),
        ("example.net;lists.example.net", "example.net, lists.example.net"),
        ("$(cat /etc/domains.list)", "/etc/domains.list)"),
        ("template.example.com", "template.example.com"),
    ],
)
def test_local_domains(names: str, domains: str) -> None:
    (found,) = in_use(replace(IDLE, settings=with_setting("dc_other_hostnames", f'"{names}"')))
    assert found == f"mail for {domains} stays on this host (dc_other_hostnames)"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"package": ""}, "its program is not from one of Debian's packages of Exim"),
        ({"mails": {"1xY0rO-0008Uu-37": False}}, "1 mail in its queue, /var/spool/exim4/input"),
        ({"mails": {"a": True, "b": False}}, "2 mails in its queue, /var/spool/exim4/input (1 of them frozen)"),
        ({"edited": ["/etc/exim4/passwd.client"]}, "/etc/exim4/passwd.client has been changed"),
        ({"added": ["/etc/exim4/exim4.conf"]}, "/etc/exim4/exim4.conf has been added"),
        ({"foreign": ["/etc/aliases"]}, "/etc/aliases says what only Exim understands"),
        ({"start": ["SMTPLISTENEROPTIONS='-oX 587'"]}, "/etc/default/exim4 says SMTPLISTENEROPTIONS='-oX 587'"),
        ({"start": ["EXIMSERVICE='-bdf -q5m'"]}, "/etc/default/exim4 says EXIMSERVICE='-bdf -q5m'"),
        ({"removed": [*IDLE.removed, "sa-exim"]}, "Postfix's package would remove sa-exim too"),
        ({"removed": []}, "apt-get would not put Postfix in its place (it keeps exim4-daemon-light)"),
        (
            {"removed": [], "obstacle": "E: Package 'postfix' has no installation candidate"},
            "apt-get would not put Postfix in its place (E: Package 'postfix' has no installation candidate)",
        ),
    ],
)
def test_somebody_may_miss_it(seen: dict[str, Any], reason: str) -> None:
    assert in_use(replace(IDLE, **seen)) == [reason]


def test_everything_is_said_at_once() -> None:
    assert len(in_use(replace(IDLE, mails={"a": True}, edited=["/x"], added=["/y"], foreign=["/z"]))) == 4


class Debian:
    """A host with files of its own and the answers of its package manager."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.verify = "??5??????   /usr/share/doc/exim4-base/copyright\nmissing     /usr/share/doc/exim4-base/README\n"
        for name in ("acl/30_exim4-config_check_rcpt", "router/200_exim4-config_primary"):
            self.put(f"etc/exim4/conf.d/{name}", "#\n")
        self.put("etc/exim4/update-exim4.conf.conf", SETTINGS.replace("web1", os.uname().nodename.partition(".")[0]))
        self.put("etc/aliases", "postmaster: root\nroot: admin@example.com\nlists: :include:/etc/lists\n")
        self.put("usr/sbin/exim4", "")
        (root / "usr/sbin/sendmail").symlink_to("exim4")
        (root / "var/spool/exim4/input").mkdir(parents=True)

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(self, command: Sequence[str], _stdin: str) -> Answer:
        line = " ".join(command)
        if line == "dpkg-query --search /usr/sbin/exim4":
            return Answer(0, "exim4-daemon-light: /usr/sbin/exim4\n", "")
        if line.startswith("dpkg-query --show"):
            return Answer(1, "".join(f"installed {name}\n" for name in PACKAGES), "no packages found matching exim4")
        if line.startswith("dpkg --verify"):
            return Answer(0, self.verify, "")
        if line.startswith("dpkg-query --listfiles"):
            names = ("acl/30_exim4-config_check_rcpt", "router/200_exim4-config_primary")
            return Answer(0, "/etc\n" + "".join(f"/etc/exim4/conf.d/{name}\n" for name in names), "")
        assert line.startswith("apt-get --simulate")
        return Answer(0, "".join(f"Remv {name} [4.96-15+deb12u10] [x:amd64 ]\n" for name in PACKAGES), "")

    def refusal(self) -> str:
        with pytest.raises(PostfixError) as refused:
            exim.replaceable(self.run, self.root)
        assert refused.value.code == "host_managed"
        return str(refused.value)


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path)


def test_an_idle_one_is_replaced(debian: Debian) -> None:
    debian.put("etc/exim4/exim4.conf.template.dpkg-new", "")
    debian.put("home/alice/.forward", "alice@example.com\n")
    assert exim.replaceable(debian.run, debian.root) == PACKAGES


def test_a_queue_is_counted_by_mails(debian: Debian) -> None:
    for name, text in (
        ("1xY0rO-0008Uu-37-H", "1xY0rO-0008Uu-37-H\nroot 0 0\n-frozen 1764507119\n"),
        ("1xY0rO-0008Uu-37-D", ""),
        ("a/1xY0rO-000000008Uu-0037-H", "not -frozen\n"),
        ("a/1xY0rO-000000008Uu-0037-D", ""),
        ("hdr.4711", ""),
    ):
        debian.put(f"var/spool/exim4/input/{name}", text)
    assert "3 mails in its queue, /var/spool/exim4/input (1 of them frozen)" in debian.refusal()


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("etc/exim4/conf.d/router/190_ours", "", "/etc/exim4/conf.d/router/190_ours has been added"),
        ("etc/aliases", "spam: :blackhole:\n", "/etc/aliases says"),
        ("etc/aliases", "x: root\nold: :fail: gone\n", "/etc/aliases says"),
        ("root/.forward", "# Exim filter\nfinish\n", "/root/.forward says"),
        ("home/alice/.forward", "#   Sieve filter\n", "/home/alice/.forward says"),
    ],
)
def test_what_was_made_by_hand(debian: Debian, path: str, text: str, reason: str) -> None:
    debian.put(path, text)
    assert reason in debian.refusal()


def test_changed_files_of_the_packages(debian: Debian) -> None:
    debian.verify += "??5?????? c /etc/exim4/exim4.conf.template\nmissing   c /etc/exim4/passwd.client\n"
    refusal = debian.refusal()
    assert "/etc/exim4/exim4.conf.template has been changed; /etc/exim4/passwd.client has been changed." in refusal
    assert refusal.startswith("Exim handles the mail of this host, and it was left alone, as somebody may miss it: ")
    assert "/usr/share/doc" not in refusal


def test_its_program_is_another_one(debian: Debian) -> None:
    debian.verify += "??5??????   /usr/sbin/exim4\n"
    assert "/usr/sbin/exim4 has been changed" in debian.refusal()


def test_one_that_no_package_has_brought(debian: Debian) -> None:
    """Built from source, or Red Hat's."""
    (debian.root / "usr/sbin/sendmail").unlink()
    (debian.root / "usr/sbin/sendmail").symlink_to("/usr/exim/bin/exim")
    debian.put("usr/exim/bin/exim", "")
    with pytest.raises(PostfixError, match="is not from one of Debian's packages of Exim"):
        exim.replaceable(lambda *_: Answer(127, "", "the program dpkg-query is missing on this host"), debian.root)


def test_another_mail_server_is_not_replaced(debian: Debian) -> None:
    (debian.root / "usr/sbin/sendmail").unlink()
    (debian.root / "usr/sbin/sendmail").symlink_to("ssmtp")
    debian.put("usr/sbin/ssmtp", "")
    assert debian.refusal().startswith(
        "sSMTP handles the mail of this host, and only an idle Exim of Debian is replaced;"
    )


def test_the_way_back_is_said_where_it_was_replaced(debian: Debian) -> None:
    assert exim.way_back(debian.root) == []
    debian.put("var/lib/smarthost-replaced-mail-server", "exim4-base exim4-config exim4-daemon-light\n")
    (said,) = exim.way_back(debian.root)
    assert said.endswith("as they are: apt-get install exim4-base exim4-config exim4-daemon-light")
