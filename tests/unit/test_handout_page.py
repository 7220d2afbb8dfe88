# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for a person: what it says, and that nothing in it becomes HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._handout_page import LANGUAGES, Page, render
from hypothesis import given
from hypothesis import strategies as st

SMARTHOST = "4489.smtp.antispamcloud.com"
ALICE = Page("alice@example.com", SMARTHOST, 587)
WORDS = {
    "en": ["Account Settings", "Outgoing Server", "Normal password", "User Name", "Use Password Manager to remember"],
    "de": ["Konten-Einstellungen", "Postausgangs-Server", "Passwort, normal", "Benutzername", "Die Passwortverwaltung"],
}


class Parsed(HTMLParser):
    """The cells of the tables, all text outside of the style, and every tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.text = ""
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.tags += [f"{tag}.{name}" for name, _value in attrs if name.startswith("on") or name in ("src", "href")]
        self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_to_enter_where(language: str) -> None:
    page = render(ALICE, language)
    cells = Parsed(page).cells
    values = ["Smarthost", SMARTHOST, "587", "STARTTLS"]
    assert cells[1:8:2] == values
    assert cells[11] == "alice@example.com"
    assert [word for word in WORDS[language] if word not in page] == []
    assert f'lang="{language}"' in page


def test_tls_from_the_first_byte() -> None:
    page = render(ALICE._replace(port=465, implicit_tls=True), "en")
    assert Parsed(page).cells[1:8:2] == ["Smarthost", SMARTHOST, "465", "SSL/TLS"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_password_is_there_only_when_it_is_given(language: str) -> None:
    without, with_one = render(ALICE, language), render(ALICE._replace(password="Correct-Horse-42"), language)
    assert "Correct-Horse-42" not in without
    assert 'class="keep"' not in without
    assert Parsed(with_one).cells[-1] == "Correct-Horse-42"
    assert 'class="keep"' in with_one


def test_the_address_is_as_people_write_it_and_the_login_as_the_server_takes_it() -> None:
    page = render(ALICE._replace(login="alice@xn--mller-kva.example"), "de")
    assert "<h1>So senden Sie E-Mail als alice@müller.example</h1>" in page
    assert "alice@xn--mller-kva.example" in Parsed(page).cells


def test_the_same_page_twice_is_the_same_and_asks_for_nothing_from_elsewhere() -> None:
    page = render(ALICE._replace(password="Correct-Horse-42"), "en")
    assert page == render(ALICE._replace(password="Correct-Horse-42"), "en")
    assert "://" not in page
    assert "url(" not in page
    assert {"script", "img", "link", "iframe", "form", "a"} & set(Parsed(page).tags) == set()


VISIBLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80)


@given(VISIBLE, VISIBLE)
def test_nothing_becomes_html(login: str, password: str) -> None:
    page = Parsed(render(ALICE._replace(login=login, password=password), "en"))
    assert page.cells[11] == login
    assert page.cells[-1] == password
    assert page.tags == Parsed(render(ALICE._replace(password="x"), "en")).tags


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "{{ 7 * 7 }}", "{% raw %}", "&amp;<b>\"'", "</td></table>"]
)
def test_a_password_is_never_a_template_or_markup(text: str) -> None:
    page = render(ALICE._replace(password=text), "en")
    assert Parsed(page).cells[-1] == text
    assert "<script" not in page
