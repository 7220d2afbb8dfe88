# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Postfix says of one mail: read from wherever this host keeps its mail log."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional

from .commands import Instance, PostfixError

LOG_FILES = ("/var/log/mail.log", "/var/log/maillog", "/var/log/mail.info", "/var/log/mail")


def log_file(instance: Instance) -> Optional[Path]:
    """The file with the mail log of this instance; None where there is none and only the journal may have it."""
    named = instance.effective(["maillog_file"]).get("maillog_file", "")
    places = [named] if named.startswith("/") else LOG_FILES
    return next((Path(place) for place in places if Path(place).is_file()), None)


class Delivery(NamedTuple):
    """One attempt to deliver: sent, deferred or bounced; to which server; and what it answered."""

    status: str
    relay: str
    reply: str


class MailLog:
    """The part of the mail log that is written from now on. Raises OSError where it cannot be read."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._begin = time.time()
        self._file = log_file(instance)
        self._offset = 0
        if self._file:
            with self._file.open("rb") as stream:
                self._offset = stream.seek(0, os.SEEK_END)

    def queue_id(self, message_id: str) -> Optional[str]:
        """The queue id of the mail with this Message-ID, None when the log does not know it.

        A mail that a content filter hands back has several; the last one is on its way out.
        """
        found = re.findall(rf"(\w+): message-id=<{re.escape(message_id)}>", self._text())
        return found[-1] if found else None

    def deliveries(self, queue_id: str) -> list[Delivery]:
        """Every attempt so far to deliver this mail."""
        attempts = re.finditer(
            rf"\b{queue_id}: to=<.*?, relay=(?P<relay>[^,]+), .*?status=(?P<status>\w+) \((?P<reply>.*)\)", self._text()
        )
        return [Delivery(found["status"], found["relay"], found["reply"]) for found in attempts]

    def complaint(self) -> str:
        """What `postfix` has written last, a fatal error rather than a warning; empty where it wrote nothing."""
        if self._file is None:
            program = f"{self._instance.effective(['syslog_name'])['syslog_name']}/postfix-script"
            text = self._instance.journal(int(self._begin) - 1, f"--identifier={program}")
        else:
            text = self._text()
        found = re.findall(r"(?:^|/postfix-script\[\d+\]: )((?:fatal|error|warning): .*)", text, re.MULTILINE)
        return next((line for line in reversed(found) if not line.startswith("warning")), found[-1] if found else "")

    def _text(self) -> str:
        if self._file is None:
            return self._instance.journal(int(self._begin) - 1)
        # A log that was rotated meanwhile begins again.
        if self._file.stat().st_size < self._offset:
            self._offset = 0
        with self._file.open("rb") as stream:
            stream.seek(self._offset)
            return stream.read().decode("utf-8", "replace")


def explained(instance: Instance, act: Callable[[Instance], None]) -> None:
    """Do this with the command `postfix`, which without a terminal tells its log alone what is wrong."""
    try:
        log = MailLog(instance)
    except OSError:
        return act(instance)
    try:
        act(instance)
    except PostfixError as error:
        with contextlib.suppress(OSError):
            # What was said on the way there, such as of a command that failed, stays in the sentence.
            reason = log.complaint()
            raise PostfixError(f"{error} ({reason})" if reason else str(error), error.code) from None
        raise
