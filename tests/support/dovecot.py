# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Dovecot that only says to a Postfix who may log in there, in a directory of its own."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

_CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
default_internal_user = dovecot
default_login_user = dovenull
protocols =
ssl = no
auth_mechanisms = plain login
service auth {{
  unix_listener {home}/auth {{
    mode = 0666
  }}
}}
"""
_PEOPLE_BEFORE_2_4 = """\
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/people
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
"""
_PEOPLE = """\
passdb passwd-file {{
  passwd_file_path = {home}/people
}}
userdb static {{
  fields {{
    uid = 65534
    gid = 65534
    home = /nonexistent
  }}
}}
"""


def _configuration(home: Path) -> str:
    """As this release wants it: from 2.4 on the first line says for which release it was written."""
    shown = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True).stdout
    release = re.split(r"[^\d.]", shown, maxsplit=1)[0]
    if tuple(map(int, release.split(".")[:2])) < (2, 4):
        return (_CONFIGURATION + _PEOPLE_BEFORE_2_4).format(home=home)
    first = f"dovecot_config_version = {release}\ndovecot_storage_version = {release}\n"
    return first + (_CONFIGURATION + _PEOPLE).format(home=home)


class Dovecot:
    """Use it as a context manager. people: name -> password. `socket` is what Postfix asks."""

    def __init__(self, people: dict[str, str]) -> None:
        # The path of a socket is short.
        self._folder = tempfile.TemporaryDirectory(prefix="dovecot-", dir="/tmp")
        self.home = Path(self._folder.name)
        self.home.chmod(0o755)
        self.socket = self.home / "auth"
        (self.home / "people").write_text("".join(f"{name}:{{PLAIN}}{word}\n" for name, word in people.items()))
        (self.home / "dovecot.conf").write_text(_configuration(self.home))

    def __enter__(self) -> Dovecot:
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(self.home / "dovecot.conf")])
        deadline = time.monotonic() + 30
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise AssertionError("Dovecot did not start")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._folder.cleanup()
