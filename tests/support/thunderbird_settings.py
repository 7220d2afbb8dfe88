# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Thunderbird's account settings with the server that the module has added, and take a picture of them.

`PYTHONPATH=collections python -m tests.support.thunderbird_settings FILE.png`
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.display import Display
from tests.support.module import run_module
from tests.support.thunderbird import Thunderbird

SHOW_SCRIPT = """
const {setTimeout} = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const [description] = parameters;
const pause = () => new Promise(resolve => setTimeout(resolve, 50));
const until = async find => {
  for (let attempt = 0; attempt < 400; attempt++) {
    const found = find();
    if (found) return found;
    await pause();
  }
  throw new Error("not shown: " + find);
};
const main = Services.wm.getMostRecentWindow("mail:3pane");
main.moveTo(0, 0);
main.resizeTo(main.screen.width, main.screen.height);
const tab = main.document.getElementById("tabmail").openTab("contentTab", {url: "about:accountsettings"});
const tree = await until(() => tab.browser.contentDocument?.getElementById("accounttree"));
const page = await until(() => tree.querySelector("#smtp"));
const frame = tab.browser.contentDocument.getElementById("contentFrame");
let attempts = 0;
const list = await until(() => {
  // On a busy machine a selection that is made before the window listens is lost.
  if (attempts++ % 40 == 0) {
    tree.selectedIndex = 0;
    tree.selectedIndex = tree.rows.indexOf(page);
  }
  return frame.contentDocument?.getElementById("smtpList");
});
const entry = await until(() => [...list.children].find(item => item.textContent.includes(description)
  || item.firstChild?.getAttribute("value")?.includes(description)));
const details = await until(() => frame.contentDocument.getElementById("smtpServerInfoBox"));
// The page selects an entry of its own, perhaps after us: ours counts when it has stayed for two seconds.
let stayed = 0;
await until(() => {
  if (details.textContent.includes(description)) return ++stayed > 40;
  stayed = 0;
  list.selectedItem = null;
  list.selectedItem = entry;
  return false;
});
return details.textContent;
"""


def show_outgoing_server(program: Thunderbird, description: str) -> str:
    """Open the account settings at the outgoing servers, and select one; returns the details that are shown."""
    return " ".join(str(program.script(SHOW_SCRIPT, description)).split())


def take_picture(target: Path) -> str:
    """Configure a profile with a server of its own, show it, and write the picture; returns the details shown."""
    with tempfile.TemporaryDirectory() as name, Display(1280, 1000) as display:
        home = Path(name)
        profile = home / "profile"
        profile.mkdir(mode=0o700)
        with Thunderbird(profile, home=home) as program:
            program.add_account("alice@example.com", "smtp.example.org", "Correct-Horse-42")
        options = {"profile": str(profile), "login": "info@example.com", "password": "Correct-Horse-42"}
        done = run_module("thunderbird_outgoing_server", {**options, "identities": ["alice@example.com"]})
        if done.failed:
            raise RuntimeError(done.message)
        with Thunderbird(profile, home=home, display=display.name) as program:
            shown = show_outgoing_server(program, "Smarthost")
            display.picture(target)
    return shown


if __name__ == "__main__":
    print(take_picture(Path(sys.argv[1])))
