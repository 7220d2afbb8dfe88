# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of an audit in a real browser: search, filter, dark, phone and print, without a word on its console."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.action.audit import contents
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import report

from tests.support import audit_picture
from tests.support.audited import TODAY, USERS, described, site, user
from tests.support.browser import AT_ONCE, axe, chromium

pytestmark = [pytest.mark.slow, pytest.mark.root]

#: What a person does, one after the other; what is seen then goes to the page's end.
STEPS = """
<script>
addEventListener('load', function () {
  var said = [], loaded = performance.now(), search = document.getElementById('search'),
    severity = document.getElementById('severity'), kinds = severity.querySelectorAll('option').length;
  function rows() { return document.querySelectorAll('tbody tr:not([hidden])').length; }
  function type(text) { search.value = text; search.dispatchEvent(new Event('input')); }
  function choose(text) { severity.value = text; severity.dispatchEvent(new Event('change')); }
  function say(name, value) { said.push(name + '=' + value); }
  say('all', rows()); say('kinds', kinds);
  say('wide', document.documentElement.scrollWidth <= innerWidth);
  say('dark', getComputedStyle(document.body).backgroundColor);
  say('requests', performance.getEntriesByType('resource').length);
  type('eve7@');
  setTimeout(function () {
    say('found', rows()); type('EVE7@ nobody'); setTimeout(function () {
      say('both', rows()); type('no such word'); setTimeout(function () {
        say('none', rows()); say('shown', document.getElementById('shown').textContent); type('');
        setTimeout(function () {
          choose('low'); say('low', document.querySelectorAll('[data-severity]:not([hidden])').length);
          choose('high'); say('high', document.querySelectorAll('[data-severity]:not([hidden])').length);
          say('loaded', Math.round(loaded));
          var end = document.createElement('pre'); end.id = 'said'; end.textContent = said.join('\\n');
          document.body.appendChild(end);
        }, 200);
      }, 200);
    }, 200);
  }, 200);
});
</script>
</body>"""


@pytest.fixture(scope="module")
def page() -> str:
    """A page with twelve strangers, one domain without an abuse contact, and nine thousand senders."""
    descriptions, users = [], []
    for number in range(300):
        domain, names = f"d{number}.example", [f"someone{position}" for position in range(30)]
        descriptions += described(*({"username": name} for name in names), domain=domain)
        users += [user(name, domain=domain) for name in names]
    users += [user(f"eve{number}", domain="d0.example") for number in range(12)]
    seen = site(descriptions=descriptions, users=[*users, *USERS])
    return contents(seen, report(seen, [], TODAY), TODAY)["audit.html"].decode("utf-8")


def said(folder: Path, text: str, *options: str) -> dict[str, str]:
    """What was seen after each step."""
    dumped, console = chromium(folder, text.replace("</body>", STEPS), "--dump-dom", AT_ONCE, *options)
    assert console == ""
    found = re.search(r'<pre id="said">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[-2000:]
    return dict(line.split("=", 1) for line in found[1].splitlines())


def test_search_and_filter(tmp_path: Path, page: str) -> None:
    seen = said(tmp_path, page, "--window-size=1280,900")
    assert int(seen["all"]) > 9000
    # Its finding, and its row among the senders.
    assert (seen["found"], seen["both"], seen["none"], seen["shown"]) == ("2", "1", "0", "0 rows")
    assert int(seen["high"]) >= 12
    assert (seen["kinds"], seen["requests"]) == ("5", "0")


def test_a_phone_shows_it_without_scrolling_to_the_side(tmp_path: Path, page: str) -> None:
    assert said(tmp_path, page, "--window-size=500,900")["wide"] == "true"


def test_it_is_dark_where_the_person_wants_that(tmp_path: Path, page: str) -> None:
    assert said(tmp_path, page)["dark"] == "rgb(255, 255, 255)"
    assert said(tmp_path, page, "--blink-settings=preferredColorScheme=0")["dark"] == "rgb(22, 22, 22)"


def test_it_prints(tmp_path: Path) -> None:
    seen = site(users=[*USERS, user("eve")])
    text = contents(seen, report(seen, [], TODAY), TODAY)["audit.html"].decode("utf-8")
    printed = tmp_path / "page.pdf"
    chromium(tmp_path, text, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) <= 2


#: All rules, those of good practice as well. What it finds goes to the page's end.
LOOK = """
<script>
addEventListener('load', function () {
  axe.run(document, {resultTypes: ['violations']}).then(function (result) {
    var end = document.createElement('pre'); end.id = 'said';
    end.textContent = JSON.stringify({passes: result.passes.length, violations: result.violations.map(function (one) {
      return [one.id, one.nodes.map(function (node) { return node.html; }).slice(0, 3)];
    })});
    document.body.appendChild(end);
  });
});
</script>
</body>"""


@pytest.mark.parametrize("scheme", [(), ("--blink-settings=preferredColorScheme=0",)], ids=["light", "dark"])
@pytest.mark.parametrize("size", ["1280,900", "500,900"])
def test_nothing_keeps_people_from_using_it(tmp_path: Path, scheme: tuple[str, ...], size: str) -> None:
    """What axe-core knows: contrast, names of fields, order of headings, tables, landmarks."""
    text = audit_picture.page().replace("</body>", f"<script>{axe()}</script>{LOOK}")
    dumped, console = chromium(tmp_path, text, "--dump-dom", AT_ONCE, f"--window-size={size}", *scheme)
    assert console == ""
    shown = re.search(r'<pre id="said">(.*?)</pre>', dumped, re.DOTALL)
    assert shown, dumped[-2000:]
    found = json.loads(unescape(shown[1]))
    assert found["violations"] == []
    assert found["passes"] > 10


def test_the_picture_can_be_made(tmp_path: Path) -> None:
    audit_picture.take_picture(tmp_path / "audit.png")
    picture = (tmp_path / "audit.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000
