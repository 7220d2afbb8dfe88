# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail says who has logged in at the server; where it would not, that is said. The mail is in test_identities."""

from __future__ import annotations

import pytest

from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import configure, relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
PARAMETER = "smtpd_sasl_authenticated_header"


@pytest.fixture
def server(postfix: ScratchPostfix) -> ScratchPostfix:
    """With a submission service, at which people log in."""
    with (postfix.config_directory / "master.cf").open("a", encoding="utf-8") as master:
        master.write("submission inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n")
    return postfix


def test_one_parameter_comes_and_goes(server: ScratchPostfix, warnings: list[str]) -> None:
    files = snapshot(server.config_directory)
    predicted = configure(server, identity=True, check=True)
    assert predicted.result["diff"]["after"][PARAMETER] == "yes"
    run = configure(server, identity=True)
    assert run.changed, run.message
    assert not configure(server, identity=True).changed
    assert configure(server).result["changes"] == [PARAMETER]
    assert PARAMETER not in server.parameters()
    assert configure(server, identity=True).changed
    assert relay(server, state="absent").changed
    assert snapshot(server.config_directory) == files
    assert warnings == []


def test_a_value_of_the_administrator_comes_back(server: ScratchPostfix) -> None:
    """Also where it was switched off on purpose; and one that is right already is none of ours."""
    for before in ("no", "yes"):
        server.set(**{PARAMETER: before})
        assert configure(server, identity=True).changed
        assert server.parameters()[PARAMETER] == "yes"
        assert configure(server).changed == (before == "no")
        assert server.parameters()[PARAMETER] == before
        assert relay(server, state="absent").changed
        assert server.parameters()[PARAMETER] == before


def test_where_nobody_logs_in_nobody_is_named(postfix: ScratchPostfix, warnings: list[str]) -> None:
    assert configure(postfix, identity=True, check=True).changed
    (said,) = warnings
    assert said.startswith("identity: nobody can log in at this mail server (smtpd_sasl_auth_enable)")
    warnings.clear()
    configure(postfix, identity=False, check=True)
    assert warnings == []


def test_a_service_says_otherwise(server: ScratchPostfix, warnings: list[str]) -> None:
    server.run("postconf", "-P", f"submission/inet/{PARAMETER}=no")
    make_older(server.config_directory / "master.cf")
    configure(server, identity=True, check=True)
    assert warnings == [
        f"identity: master.cf says {PARAMETER}=no for submission/inet, so mail that is handed in there names nobody; "
        "take that out."
    ]
