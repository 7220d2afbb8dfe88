# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides point at is there: files, headings, messages, pages of the site."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.options import API_OPTIONS
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import (
    DEFAULTS_OPTIONS,
    DESCRIPTION_OPTIONS,
    PERSON_OPTIONS,
    SENDER_OPTIONS,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._rotation import description
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.server import SMARTHOST_OPTIONS
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.options import OUTGOING_USER_OPTIONS

from tests import ROOT
from tests.support.documentation import guides, messages_of_the_code

#: A page that Galaxy shows as well names files of the project by their address.
ADDRESSES = "https://(?:github.com/smarthost/spamexperts/blob|raw.githubusercontent.com/smarthost/spamexperts)/main/"
LINK = re.compile(rf"\]\((?:(?P<whole>{ADDRESSES})|(?!https?://))(?P<target>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
#: What is quoted in the guides but comes from the vendor, from Postfix or from ansible-core.
OF_OTHERS = {
    "missing required arguments: api_password",
    "535 Incorrect authentication data",
    "denied authentication",
    "Too many messages. Please wait for a while and try again.",
    "Message submission is for authorised users only!",
}


#: What is made while working, and a call of the vendor.
NO_FILES = {"build/", "build/logs/", "build/site/", "changelogs/fragments/", "domain/exists"}


def headings(path: Path) -> set[str]:
    """Return the anchors of a Markdown file, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", guides(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path: Path) -> None:
    dead = []
    for whole, target, anchor in LINK.findall(path.read_text()):
        file = ((ROOT if whole else path.parent) / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in headings(file)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def test_links_of_the_readme_work_on_galaxy_too() -> None:
    """There it is a page without the files beside it."""
    assert [target for whole, target, _anchor in LINK.findall((ROOT / "README.md").read_text()) if not whole] == []


def test_advice_for_or_against_a_method_is_nobodys_but_the_providers_or_ours() -> None:
    """The vendor's knowledge base prefers addresses for whole servers; it is the providers who advise users."""
    files = [*guides(), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("plugins/**/*.yml"), *ROOT.glob("roles/**/*.yml")]
    words = (
        r"vendor(?:'s)?\s+(?:own\s+)?recommend|vendor\s+(?:discourages|advises)"
        r"|(?:recommended|discouraged)\s+by\s+the\s+vendor"
    )
    assert [str(path.relative_to(ROOT)) for path in files if re.search(words, path.read_text())] == []


@pytest.mark.parametrize(("name", "least"), [("ARCHITECTURE.md", 20), ("CONTRIBUTING.md", 10)])
def test_pages_for_contributors_name_only_what_is_there(name: str, least: int) -> None:
    text = (ROOT / name).read_text()
    named = re.findall(r"`([a-z][\w./]+/[\w./]*)`|^([\w./]+/)(?=  )", text, re.MULTILINE)
    paths = {one or other for one, other in named} - NO_FILES
    assert len(paths) > least
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_the_walk_through_a_commit_names_its_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (commit,) = re.findall(r"`git show (\w+)`", text)
    show = ["git", "show", "--format=", "--name-only", commit]
    shown = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        pytest.skip("this checkout has no history")
    walk = text.partition("\n## Your first change\n")[2].partition("\n| 10. ")[0]
    named = re.findall(r"`((?:docs|plugins|tests)/[\w./]+)`", walk)
    assert len(named) > 8
    assert [name for name in named if name not in shown.stdout.splitlines()] == []


def has_parts(text: str, message: str) -> bool:
    """Whether the text has all parts of the message, between which is `...`, one after the other."""
    place = 0
    for part in message.replace("'", "").split("..."):
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


@pytest.mark.parametrize("name", ["troubleshooting.md", "api-methods.md"])
def test_every_message_that_is_explained_is_one_of_the_code(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    quoted = re.findall(r"^\| \*(.+?)\* \|", text, re.MULTILINE)
    assert quoted
    known = messages_of_the_code()
    unknown = [message for message in set(quoted) - OF_OTHERS if not any(has_parts(text, message) for text in known)]
    assert unknown == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rotation.md", description.ROTATION_OPTIONS),
        ("descriptions.md", DESCRIPTION_OPTIONS),
        ("descriptions.md", SENDER_OPTIONS.keys() - OUTGOING_USER_OPTIONS.keys() | PERSON_OPTIONS.keys()),
        ("descriptions.md", DEFAULTS_OPTIONS),
    ],
)
def test_every_key_of_a_description_is_explained(name: str, options: Iterable[str]) -> None:
    text = (ROOT / "docs" / name).read_text()
    assert [key for key in options if not re.search(rf"`{key}\b|^ +{key}:", text, re.MULTILINE)] == []


def test_every_environment_variable_is_on_the_page_about_accounts() -> None:
    text = (ROOT / "docs" / "accounts.md").read_text()
    named = dict(re.findall(r"^\| `SPAMEXPERTS_(\w+)` \| `(\w+)` \|", text, re.MULTILINE))
    assert named.pop("CREDENTIAL_STORE") == "store"
    spec = {**API_OPTIONS, **SMARTHOST_OPTIONS}
    assert named == {name.upper(): name for name, option in spec.items() if "fallback" in option}
    documented = (ROOT / "plugins/doc_fragments/_api.py").read_text()
    assert [name for name, option in API_OPTIONS.items() if f"E(SPAMEXPERTS_{name.upper()})" not in documented] == [
        name for name, option in API_OPTIONS.items() if "fallback" not in option
    ]


def test_every_guide_is_a_page_of_the_site() -> None:
    index = (ROOT / "docs" / "docsite" / "index.md").read_text()
    (trees,) = [re.findall(r"^(?:.*<)?([\w/-]+)>?$", index, re.MULTILINE)]
    assert sorted(path.stem for path in ROOT.glob("docs/*.md") if path.stem not in trees) == []
