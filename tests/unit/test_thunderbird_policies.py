# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority in the enterprise policies, beside what an administrator has there."""

from __future__ import annotations

import json

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import ThunderbirdError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.policies import merge

CA = "/etc/ssl/example.pem"
EXISTING = """{
    "policies": {"DisableTelemetry": true,
      "Certificates": {"ImportEnterpriseRoots": true, "Install": ["/etc/ssl/other.pem"]},
      "Größe": "ä"}
}
"""


def test_a_new_file_names_the_authority() -> None:
    made = merge(None, CA, present=True)
    assert made is not None
    assert json.loads(made) == {"policies": {"Certificates": {"Install": [CA]}}}
    assert merge(made, CA, present=True) is made
    assert merge(made, CA, present=False) is None


def test_an_existing_file_keeps_everything_else() -> None:
    before = EXISTING.encode()
    after = merge(before, CA, present=True)
    assert after is not None
    expected = json.loads(EXISTING)
    expected["policies"]["Certificates"]["Install"].append(CA)
    assert json.loads(after) == expected
    assert list(json.loads(after)["policies"]) == list(expected["policies"])
    assert "Größe" in after.decode()
    removed = merge(after, CA, present=False)
    assert removed is not None
    assert json.loads(removed) == json.loads(EXISTING)


def test_what_is_already_so_keeps_its_bytes() -> None:
    before = EXISTING.encode()
    assert merge(before, "/etc/ssl/other.pem", present=True) is before
    assert merge(before, CA, present=False) is before
    assert merge(None, CA, present=False) is None


def test_only_the_empty_parts_go() -> None:
    content = json.dumps({"policies": {"Certificates": {"Install": [CA]}, "DisableTelemetry": True}}).encode()
    removed = merge(content, CA, present=False)
    assert removed is not None
    assert json.loads(removed) == {"policies": {"DisableTelemetry": True}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"policies": []}',
        b'{"policies": {"Certificates": []}}',
        b'{"policies": {"Certificates": {"Install": "x"}}}',
        b'{"policies": {"Certificates": {"Install": null}}}',
        b"\xff",
    ],
)
def test_a_file_that_thunderbird_could_not_read_is_refused(content: bytes) -> None:
    with pytest.raises(ThunderbirdError, match="correct it first"):
        merge(content, CA, present=True)
