# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that runs already: its logins come into the store, proven, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import Fleet, Host, fleet_emulator, why_impossible
from tests.support.rotation import RotationSite

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

ADOPT = "adopt_credentials"
PASSWORDS = {
    "web@example.com": "quo'te\"back\\slash: and blank",
    "shared@example.com": "the shared password 1",
    "example.net": "the domain's password",
    "csv@example.com": "only,in the CSV",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RotationSite]:
    with Fleet(2) as fleet, fleet_emulator(fleet) as emulator:
        made = RotationSite(fleet, emulator, tmp_path)
        made.old = {**PASSWORDS, "stale": "an old shared password"}
        fleet.trust(emulator.ca_file)
        emulator.seed(
            users=[
                {
                    "domain": login.rpartition("@")[2],
                    "username": login.rpartition("@")[0],
                    "password": password,
                    "authentication_method": "user" if "@" in login else "domain",
                }
                for login, password in PASSWORDS.items()
            ]
        )
        made.write_inventory(own=False)
        yield made


def write_map(host: Host, *pairs: tuple[str, str]) -> None:
    """What an administrator has set up by hand."""
    lines = [f"key{number}@example.com {login}:{password}\n" for number, (login, password) in enumerate(pairs)]
    host.path("/etc/postfix/sasl").write_text("# by hand\n" + "".join(lines), encoding="utf-8")
    host.path("/etc/postfix/sasl").chmod(0o600)
    host.run("postmap", "hash:/etc/postfix/sasl")
    host.run("postconf", "-e", "smtp_sasl_password_maps=hash:$config_directory/sasl, mysql:/etc/postfix/sql.cf")


def test_adoption(site: RotationSite, tmp_path: Path) -> None:
    first, second = site.fleet.hosts
    write_map(first, ("web@example.com", PASSWORDS["web@example.com"]), ("shared@example.com", site.old["stale"]))
    write_map(second, *((login, PASSWORDS[login]) for login in ("shared@example.com", "example.net")))
    before = [host.run("sh", "-c", "cat /etc/postfix/* | sha256sum") for host in site.fleet.hosts]
    table = tmp_path / "users.csv"
    table.write_text(
        'username,domain,password\ncsv,example.com,"only,in the CSV"\nshared,example.com,the shared password 1\n',
        encoding="utf-8",
    )
    predicted = site.run(ADOPT, "--check", spamexperts_credentials_csv=str(table))
    assert predicted.returncode == 0, predicted.output
    assert not site.store.exists()
    run = site.run(ADOPT, "-vvvv", spamexperts_credentials_csv=str(table))
    assert run.returncode == 0, run.output
    assert {name: entry["current"] for name, entry in site.stored().items()} == PASSWORDS
    assert "another host, or the store, has another password" in run.output
    assert "a map of type mysql" in run.output
    assert [host.run("sh", "-c", "cat /etc/postfix/* | sha256sum") for host in site.fleet.hosts] == before
    assert site.emulator.counters()["writes"] == 0
    again = site.run(ADOPT, spamexperts_credentials_csv=str(table))
    assert again.changed() == 0
    # A password that works, and is not the one in the store.
    site.emulator.set_password("example.com", "shared", site.old["stale"])
    run = site.run(ADOPT)
    assert "it works, but the store has another password" in run.output
    assert site.stored()["shared@example.com"]["current"] == PASSWORDS["shared@example.com"]


def test_no_log_is_demanded(site: RotationSite) -> None:
    task = {"smarthost.spamexperts.adopt_credentials": {"path": str(site.store)}}
    with pytest.raises(AssertionError, match="Set no_log: true on this task"):
        site.play(task, hosts="mail_relays")


def test_a_limit_does_not_leave_out_the_csv(site: RotationSite, tmp_path: Path) -> None:
    """The guide says to delete it afterwards."""
    table = tmp_path / "users.csv"
    table.write_text("username,domain,password\nweb,example.com,word\n", encoding="utf-8")
    run = site.run(ADOPT, "--limit", "h1", spamexperts_credentials_csv=str(table))
    assert run.returncode == 2
    assert "This run is limited to h1, which leaves out localhost, and with it the CSV" in run.output
    assert not site.store.exists()


def test_what_is_wrong_is_said_although_the_task_has_no_log(site: RotationSite, tmp_path: Path) -> None:
    run = site.run(ADOPT, spamexperts_credentials_csv=str(tmp_path / "nowhere.csv"))
    assert run.returncode == 2
    assert f"{tmp_path / 'nowhere.csv'} cannot be read: No such file or directory" in run.output
    site.fleet.hosts[0].run("postconf", "-e", "smtp_sasl_password_maps=${nothing?")
    run = site.run(ADOPT)
    assert run.returncode == 2
    assert "postconf fails on h1" in run.output
