# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with another certificate stands where the smarthost should: it gets no password and no mail.

What newer releases of Postfix add to this, the header TLS-Required, is tried in test_postfix_releases.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import LOGIN, relay
from tests.support.sink import Sink, authority_file, certificate

pytestmark = pytest.mark.root
BY_ADDRESS: dict[str, Any] = {"authentication": "ip"}
TABLES = {
    "none": None,
    "texthash": "texthash:{folder}/policies",
    "regexp": "regexp:{folder}/expressions",
    "inline": "inline:{ { {next} = may } }",
    "proxy": "proxy:texthash:{folder}/policies",
}


@pytest.fixture(scope="module")
def instance() -> Iterator[ScratchPostfix]:
    """One that tries each mail, even if the one before has failed."""
    with ScratchPostfix({"default_destination_concurrency_failed_cohort_limit": "1000"}) as running:
        yield running


@pytest.fixture(scope="module")
def stranger() -> Iterator[Sink]:
    """Who redirects the connection: it takes everything, also a hash of the password."""
    with Sink(certificate(trustme.CA(), "localhost"), hashes=True) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with the authority of the smarthost, of which the stranger has no certificate."""
    return authority_file(trustme.CA(), tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and other tests run it."""
    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.fixture
def aimed(postfix: ScratchPostfix, stranger: Sink, authority: str) -> dict[str, Any]:
    """The options with which the mail would go to the stranger, without a way of authentication."""
    stranger.mails.clear()
    stranger.logins.clear()
    folder, next_hop = postfix.config_directory, f"[localhost]:{stranger.port}"
    (folder / "policies").write_text(f"{next_hop} may\n", encoding="utf-8")
    (folder / "expressions").write_text(r"/^\[localhost\]/ may" + "\n", encoding="utf-8")
    return {"smarthost": "localhost", "smarthost_port": stranger.port, "smarthost_ca_path": authority}


def assert_nothing_is_given(postfix: ScratchPostfix, stranger: Sink) -> None:
    """Neither for a mail that asks for no TLS, nor for an ordinary one by the same client."""
    for header in ({"TLS-Required": "no"}, {}):
        postfix.inject("alice@example.com", "someone@elsewhere.example", headers=header)
        postfix.wait_until_quiet()
    assert (stranger.logins, stranger.mails) == ([], [])
    assert len(postfix.queue()) == 2


@pytest.mark.parametrize(
    ("table", "place"),
    [
        # Each table and each place by day, and every pair of them by night.
        pytest.param(table, place, marks=() if (number + other) % 2 else pytest.mark.slow)
        for number, table in enumerate(TABLES)
        for other, place in enumerate(("main.cf", "master.cf"))
    ],
)
def test_nothing_is_given_to_a_stranger(
    postfix: ScratchPostfix, stranger: Sink, aimed: dict[str, Any], table: str, place: str
) -> None:
    value = TABLES[table]
    if value:
        words = {"{folder}": str(postfix.config_directory), "{next}": f"[localhost]:{stranger.port}"}
        for word, meaning in words.items():
            value = value.replace(word, meaning)
        if place == "main.cf":
            postfix.set(smtp_tls_policy_maps=value)
        else:
            service = f"smtp unix - - n - - smtp -o {{smtp_tls_policy_maps={value}}}"
            postfix.run("postconf", "-M", f"smtp/unix={service}")
    elif place == "master.cf":
        postfix.run("postconf", "-P", "smtp/unix/smtp_tls_security_level=may")
    try:
        for way in (LOGIN, BY_ADDRESS):
            run = relay(postfix, **aimed, **way)
            if table == "none" and place == "main.cf":
                assert run.changed, run.message
                assert_nothing_is_given(postfix, stranger)
            else:
                assert run.code == "conflict"
                assert "smtp_tls_policy_maps" in run.message or "smtp_tls_security_level" in run.message
            run = relay(postfix, **aimed, **way, dedicated_transport=True)
            assert run.changed, run.message
            postfix.clean()
            assert_nothing_is_given(postfix, stranger)
            postfix.clean()
            relay(postfix, state="absent")
    finally:
        postfix.run("postconf", "-X", "smtp_tls_policy_maps")
        make_older(postfix.config_directory / "main.cf")
        postfix.run("postconf", "-M", "smtp/unix=smtp unix - - n - - smtp")


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_a_table_that_is_changed_later_gives_no_password_away(
    postfix: ScratchPostfix, stranger: Sink, aimed: dict[str, Any], level: str
) -> None:
    """The second lock: no run of ours has seen it. The first mail makes a session that others could resume."""
    policies = Path(postfix.config_directory, "policies")
    policies.write_text("other.example may\n", encoding="utf-8")
    postfix.set(smtp_tls_policy_maps=f"texthash:{policies}")
    try:
        assert relay(postfix, **aimed, **LOGIN).changed
        policies.write_text(f"[localhost]:{stranger.port} {level}\n", encoding="utf-8")
        make_older(policies)
        postfix.reload()
        assert_nothing_is_given(postfix, stranger)
        assert all("no mechanism available" in reason for reason in postfix.reasons())
        # This is what the lock keeps away.
        postfix.stop()
        postfix.set(smtp_sasl_tls_security_options="noanonymous")
        postfix.start()
        postfix.flush()
        postfix.wait_until_empty()
        assert set(stranger.logins) == {(LOGIN["default_login"], LOGIN["default_password"])}
    finally:
        policies.write_text("", encoding="utf-8")
        relay(postfix, state="absent")
        postfix.run("postconf", "-X", "smtp_tls_policy_maps", "smtp_sasl_tls_security_options")
        make_older(postfix.config_directory / "main.cf")
