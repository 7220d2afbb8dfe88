# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose server is this? A panel writes Postfix's files itself; next to another mail server Postfix is in the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

# Programs that generate the configuration of the host's mail, by paths that only they make.
PANELS = {
    "Plesk": ("usr/local/psa/version",),
    "cPanel": ("usr/local/cpanel/version",),
    "ISPConfig": ("usr/local/ispconfig",),
    "Mailcow": ("opt/mailcow-dockerized/mailcow.conf",),
    "Mail-in-a-Box": ("etc/mailinabox.conf",),
    "DirectAdmin": ("usr/local/directadmin",),
    "HestiaCP": ("usr/local/hestia", "etc/hestiacp"),
    "VestaCP": ("usr/local/vesta",),
    "KeyHelp": ("etc/keyhelp",),
    "LiveConfig": ("etc/liveconfig",),
    "i-MSCP": ("etc/imscp",),
    "ApisCP": ("usr/local/apnscp",),
    "CyberPanel": ("usr/local/CyberCP",),
    "iRedMail": ("etc/iredmail-release",),
    "Zimbra": ("opt/zimbra",),
    "Zentyal": ("etc/zentyal",),
    "NethServer": ("etc/e-smith",),
    "YunoHost": ("etc/yunohost/installed",),
    "Proxmox Mail Gateway": ("etc/pmg",),
    "Univention Corporate Server": ("etc/univention/base.conf",),
    "NixOS": ("etc/NIXOS",),
}
# What to do in those where it is not plain.
_ADVICE = {
    # docs.plesk.com, "Configuring a Smarthost or Relayhost"
    "Plesk": "set the smarthost there: from 18.0.64 on it has a setting for that, in Tools & Settings under Mail",
    "HestiaCP": "set the smarthost there, as its SMTP relay",
    "NixOS": "set services.postfix in the configuration of the system, and rebuild it",
}
# Where SUSE says whether config.postfix writes main.cf anew, which it then does before each start of Postfix.
SUSE_SETTING = "etc/sysconfig/mail"
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
    return next((name for name, marks in PANELS.items() if any((root / mark).exists() for mark in marks)), None)


def is_written_by_suse(root: Path = Path("/")) -> bool:
    """Whether MAIL_CREATE_CONFIG lets SUSE's config.postfix write main.cf; the last line counts, as in a shell."""
    try:
        text = (root / SUSE_SETTING).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = re.findall(r"^[ \t]*MAIL_CREATE_CONFIG=[\"']?([A-Za-z]*)", text, re.MULTILINE)
    return bool(found) and found[-1].lower() == "yes"


def find_other_mail_server(root: Path = Path("/")) -> Optional[tuple[str, Path]]:
    """The mail server that this host uses instead of Postfix, and its program; None if Postfix does it or nobody."""
    for place in ("usr/sbin/sendmail", "usr/lib/sendmail"):
        path = _resolved(root / place, root)
        if path.exists():
            found = (name for name, mark in MAIL_SERVERS.items() if re.search(mark, str(path)))
            name = next(found, None)
            if name:
                return name, path
    return None


def _resolved(path: Path, root: Path) -> Path:
    """Follow links inside `root`, as far as a chain of alternatives may go."""
    for _link in range(5):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path


def written_by(root: Path = Path("/")) -> Optional[str]:
    """One sentence where something writes the configuration of this host's mail itself, None if nothing does."""
    panel = find_panel(root)
    if panel:
        advice = _ADVICE.get(panel, "set the smarthost there")
        return f"{panel} manages the mail of this host and would overwrite what is set here; {advice}."
    if is_written_by_suse(root):
        return (
            "SUSE's config.postfix writes main.cf anew before each start of Postfix and would overwrite what is set "
            f'here, as MAIL_CREATE_CONFIG is "yes" in /{SUSE_SETTING}; set it to "no" there, then run again.'
        )
    return None


def objection(root: Path = Path("/")) -> Optional[str]:
    """One sentence why this host is left alone, None if there is no reason."""
    writer, other = written_by(root), find_other_mail_server(root)
    if writer or other is None:
        return writer
    advice = (
        "an idle one is replaced by the role with outgoing_mail_replace_mail_server=true (and outgoing_mail_install)"
    )
    return f"{other[0]} handles the mail of this host, not Postfix; it was left alone" + (
        f", and {advice}." if other[0] == "Exim" else "."
    )
