# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose server is this? A panel writes Postfix's files itself, and beside another MTA Postfix would be in the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

# Programs that generate the configuration of the host's mail, by a path that only they make.
PANELS = {
    "Plesk": "usr/local/psa/version",
    "cPanel": "usr/local/cpanel/version",
    "ISPConfig": "usr/local/ispconfig",
    "Mailcow": "opt/mailcow-dockerized/mailcow.conf",
    "Mail-in-a-Box": "etc/mailinabox.conf",
    "DirectAdmin": "usr/local/directadmin",
    "HestiaCP": "usr/local/hestia",
    "CyberPanel": "usr/local/CyberCP",
    "iRedMail": "etc/iredmail-release",
    "Zimbra": "opt/zimbra",
    "YunoHost": "etc/yunohost/installed",
    "Proxmox Mail Gateway": "etc/pmg",
    "Univention Corporate Server": "etc/univention/base.conf",
}
# Other programs that install themselves as /usr/sbin/sendmail, by the path to which it leads.
MAIL_SERVERS = {
    "Exim": r"[./]exim4?$",
    "Sendmail": r"/sm\.bin/|libexec/sendmail|sendmail\.sendmail$|sendmail-m(ta|sp)$",
    "OpenSMTPD": r"/smtpctl$|opensmtpd",
    "Courier": r"courier",
    "qmail": r"qmail",
    "nullmailer": r"nullmailer",
    "msmtp": r"[./]msmtp$",
    "sSMTP": r"[./]ssmtp$",
    "DragonFly Mail Agent": r"[./]dma$",
}


def find_panel(root: Path = Path("/")) -> Optional[str]:
    """The panel that runs this host's mail, None if there is none."""
    return next((name for name, mark in PANELS.items() if (root / mark).exists()), None)


def find_other_mail_server(root: Path = Path("/")) -> Optional[str]:
    """The mail server that this host uses instead of Postfix, None if Postfix does it or nobody."""
    for place in ("usr/sbin/sendmail", "usr/lib/sendmail"):
        path = _resolved(root / place, root)
        if path.exists():
            found = (name for name, mark in MAIL_SERVERS.items() if re.search(mark, str(path)))
            name = next(found, None)
            if name:
                return name
    return None


def _resolved(path: Path, root: Path) -> Path:
    """Follow links inside `root`, as far as a chain of alternatives may go."""
    for _link in range(5):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path


def objection(root: Path = Path("/")) -> Optional[str]:
    """One sentence why this host is left alone, None if there is no reason."""
    panel = find_panel(root)
    if panel:
        return f"{panel} manages the mail of this host and would overwrite what is set here; set the smarthost there."
    other = find_other_mail_server(root)
    if other:
        return f"{other} handles the mail of this host, not Postfix; it was left alone."
    return None
