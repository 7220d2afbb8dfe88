# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that runs already is taken in: described, its logins proven and kept, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.fleet import SMARTHOST_NAME, Fleet, why_impossible
from tests.support.documentation import FENCE
from tests.support.emulator import Emulator
from tests.support.people import saved
from tests.support.rotation import check_mail, steady_mail
from tests.support.running_site import CAREFUL, ELSEWHERE, LOGINS, PASSWORDS, PERSON, PERSON_LOGIN, RunningSite
from tests.support.thunderbird import PROGRAM_DIRECTORY

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
    pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed"),
]
#: Senders of every kind, at each of so many domains.
KINDS: list[dict[str, Any]] = [
    {"username": "u1", "limit_per_hour": 200},
    {"username": "u2", "limits_enabled": 0},
    {"username": "u3", "locked": 1},
    {"username": "u4", "automatic_lock": 1, "lock_timeout": 90},
    {"username": "", "authentication_method": "domain"},
]
DOMAINS = 300


def many(number: int) -> list[dict[str, Any]]:
    found = []
    for position in range(number):
        domain = f"d{position:03}.example"
        found += [{"domain": domain, "password": f"the password of {position}", **kind} for kind in KINDS]
        network = f"203.0.{position // 256 + 112}.{position % 256}"
        found.append({"domain": domain, "username": network, "authentication_method": "ip"})
    return found


@pytest.fixture(params=["full", pytest.param("documented", marks=pytest.mark.slow)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningSite]:
    with Fleet(4) as fleet:
        address, namespace = fleet.emulator_address, fleet.emulator_namespace
        with Emulator(request.param, hosts=[address], names=[SMARTHOST_NAME], namespace=namespace) as emulator:
            made = RunningSite(fleet, emulator, tmp_path)
            made.is_listed = request.param == "full"
            yield made


def test_a_site_is_taken_in_and_apply_has_nothing_to_do(site: RunningSite) -> None:
    """300 domains with every kind of sender, four mail servers of four administrators, and people's Thunderbird."""
    site.seed(*many(DOMAINS - 3))
    site.add_people()
    before, profiles = site.digests(), site.profiles()
    proven = {*LOGINS.values(), PERSON_LOGIN}
    predicted = site.import_site("--check", "--diff")
    assert predicted.returncode == 0, predicted.output
    assert not site.store.exists()
    assert site.descriptions() == {}
    run = site.import_site("-vvvv")
    assert run.returncode == 0, run.output
    assert site.digests() == before
    assert site.emulator.counters()["writes"] == 0
    assert site.emulator.counters()["auths_refused"] == 0
    assert ELSEWHERE not in {auth["password"] for auth in site.emulator.auths() if "password" in auth}
    assert {auth["login"] for auth in site.emulator.auths()} == proven
    assert {name: entry["current"] for name, entry in site.stored().items()} == {
        login: PASSWORDS[login] for login in proven
    }
    for other in (
        "a login at smtp.other.example",
        "the login of boss@mail.example at smtp.other.example",
        f"the Thunderbird of {CAREFUL} on h1: ",
    ):
        assert other in run.output
    texts = site.descriptions()
    assert len(texts) == DOMAINS
    senders = sum(len(yaml.safe_load(text)["senders"]) for text in texts.values())
    assert senders == (len(PASSWORDS) + (DOMAINS - 3) * 6 if site.is_listed else len(proven))
    assert "  - username: web1\n" in texts["example.com"]
    assert "# default_for: [h1]" in texts["example.com"]
    assert "# relay: [h4]" in texts["example.net"]
    assert f"# people: [{{host: h1, user: {PERSON}}}]" in texts["example.com"]
    site.emulator.reset_counters()
    proof = site.apply("--check", "--diff", spamexperts_fail_on=["drift"])
    assert proof.returncode == 0, proof.output
    assert proof.changed() == 0, proof.output
    assert "differs:" not in proof.output
    assert (site.emulator.counters()["writes"], site.emulator.counters()["auths_refused"]) == (0, 0)
    real = site.apply()
    assert (real.returncode, real.changed()) == (0, 0), real.output
    assert site.emulator.counters()["writes"] == 0
    again = site.import_site()
    assert (again.returncode, again.changed()) == (0, 0), again.output
    assert site.descriptions() == texts
    assert (site.digests(), site.profiles()) == (before, profiles)


@pytest.mark.slow
def test_what_is_wrong_is_said_and_nothing_is_decided(site: RunningSite, tmp_path: Path) -> None:
    site.seed()
    first, second, third, fourth = site.fleet.hosts
    RunningSite.make_map(second, f"{site.ours} web1@example.com:an old password of it\n")
    third.run("postconf", "-e", "smtp_sasl_password_maps=mysql:/etc/postfix/sql.cf")
    fourth.cut_off()
    table = tmp_path / "users.csv"
    table.write_text(
        "\ufeffpassword;username;domain\n"
        f"{PASSWORDS['alice@example.com']};alice;example.com\nwhat nobody knows;x;other.example\n",
        encoding="utf-8",
    )
    run = site.import_site(spamexperts_credentials_csv=str(table))
    fourth.reconnect()
    assert run.returncode & 4, run.output
    assert list(site.stored()) == ["alice@example.com"]
    for line in (
        "web1@example.com: conflict: its passwords in h1, h2: they are not the same, and none of them was tried",
        "x@other.example: foreign: the CSV has it, and the account has no domain other.example",
        "h3: a map of type mysql",
        "FAILED: mail server h4: not reached; its logins are missing, so the proof is open",
    ):
        assert line in run.output
    assert site.emulator.counters()["writes"] == 0
    refused = site.import_site("--limit", "h1")
    assert refused.returncode == 2
    assert "This run is limited to h1" in refused.output
    first.run("postconf", "-e", "smtp_sasl_password_maps=${nothing?")
    run = site.import_site()
    assert run.returncode == 2
    assert "mail server h1: postconf fails on h1" in run.output
    nowhere = site.import_site(spamexperts_credentials_csv=str(tmp_path / "nowhere.csv"))
    assert nowhere.returncode == 2
    assert "nowhere.csv cannot be read: No such file or directory" in nowhere.output


@pytest.mark.slow
def test_where_the_controller_reaches_no_smarthost_the_mail_servers_try(site: RunningSite) -> None:
    site.seed()
    run = site.import_site(spamexperts_smarthost="127.0.0.1", spamexperts_smarthost_ca_path=None)
    assert run.returncode == 0, run.output
    assert sorted(site.stored()) == sorted(LOGINS.values())
    addresses = {auth["login"]: auth["client_ip"] for auth in site.emulator.auths()}
    assert addresses == {LOGINS[host.name]: host.address for host in site.fleet.hosts}
    assert len(site.emulator.auths()) == 4, "each once"


def guide() -> list[str]:
    """The blocks of commands of the guide."""
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    return [block["text"] for block in FENCE.finditer(text) if block["language"] == "console"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_guide_from_hand_made_to_rotated_under_mail_flow(site: RunningSite, tmp_path: Path) -> None:
    """Every command of the page, as it stands there; then new passwords for everybody, while mail flows."""
    site.seed()
    site.add_people()
    take_in, prove, manage = guide()
    before = site.digests()
    run = site.type(take_in, prove)
    assert run.returncode == 0, run.output
    assert "changed=0" in run.output.rpartition("PLAY RECAP")[2]
    assert site.digests() == before
    with steady_mail(site, "managed", 2) as senders:
        refused = site.type(*manage.splitlines()[:2])
        assert refused.returncode == 2
        assert "sender_dependent_default_transport_maps" in refused.output
        site.do_what_apply_says()
        run = site.type(manage)
        assert run.returncode == 0, run.output
        again = site.type(manage.splitlines()[-1])
        assert (again.returncode, again.changed()) == (0, 0), again.output
    assert check_mail(site, senders) > 20
    assert site.emulator.counters()["auths_refused"] == 0
    assert "# relay" not in "".join(site.descriptions().values())
    if site.is_listed:  # the documented API has no call that sets a password
        old = {name: entry["current"] for name, entry in site.stored().items()}
        with steady_mail(site, "rotated", 2) as senders:
            run = site.rotate()
            assert run.returncode == 0, run.output
        assert check_mail(site, senders) > 20
        new = site.stored()
        assert {name for name in old if new[name]["current"] != old[name]} == {*LOGINS.values(), PERSON_LOGIN}
        passwords = saved(site.fleet.hosts[0], PERSON, tmp_path)
        assert passwords[f"smtp://{SMARTHOST_NAME}", PERSON_LOGIN] == new[PERSON_LOGIN]["current"]
    proof = site.apply("--check")
    assert (proof.returncode, proof.changed()) == (0, 0), proof.output


def test_no_log_is_demanded(site: RunningSite) -> None:
    task = {"smarthost.spamexperts.import_site": {"phase": "look_at_mail_server"}}
    with pytest.raises(AssertionError, match="Set no_log: true on this task"):
        site.play(task, hosts="mail_relays")
