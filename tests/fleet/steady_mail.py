# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands in mail at a steady rate until its input ends, then prints the subjects that were accepted.

Runs on a test host, with the machine's own Python. Arguments: sender, recipient, prefix of
the subjects, mails a second.
"""

from __future__ import annotations

import select
import smtplib
import sys
import time


def main() -> None:
    """Send until told to stop."""
    sender, recipient, prefix, rate = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
    accepted: list[str] = []
    start = time.monotonic()
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as smtp:
        number = 0
        while not select.select([sys.stdin], [], [], max(0.0, start + number / rate - time.monotonic()))[0]:
            subject = f"{prefix}-{number}"
            message = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nhello\r\n"
            smtp.sendmail(sender, [recipient], message)
            accepted.append(subject)
            number += 1
    print("\n".join(accepted))


if __name__ == "__main__":
    main()
