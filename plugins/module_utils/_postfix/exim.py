# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Exim: has anybody a use for it, or has the system only brought it along?

`look` sees, `in_use` judges. Debian makes update-exim4.conf.conf of the answers to its questions, where each line is a
shell's assignment; what else lies in /etc/exim4, and is not of the package, was put there by somebody.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .commands import PostfixError, Runner
from .host_manager import find_other_mail_server

_SETTINGS = "etc/exim4/update-exim4.conf.conf"
_START = "etc/default/exim4"
_SPOOL = "var/spool/exim4"
#: The role writes there which packages have made room for Postfix.
_REPLACED = "var/lib/smarthost-replaced-mail-server"
#: What the package asks, with the answers that it gives itself; any answer is as good where None stands.
_DEFAULTS = {
    "dc_eximconfig_configtype": "local",
    "dc_local_interfaces": "127.0.0.1 ; ::1",
    "dc_readhost": "",
    "dc_relay_domains": "",
    "dc_relay_nets": "",
    "dc_smarthost": "",
    "dc_localdelivery": "mail_spool",
    "dc_other_hostnames": None,
    "dc_minimaldns": None,
    "dc_use_split_config": None,
    "dc_hide_mailname": None,
    "dc_mailname_in_oh": None,
    "CFILEMODE": None,
}
#: How it is started, in releases before Debian 13; newer ones have comments only.
_START_DEFAULTS = {
    "EX4DEF_VERSION": None,
    "QUEUERUNNER": "combined",
    "QUEUEINTERVAL": "30m",
    "COMMONOPTIONS": "",
    "QUEUERUNNEROPTIONS": "",
    "QFLAGS": "",
    "SMTPLISTENEROPTIONS": "",
}
_PACKAGES = ("exim4", "exim4-base", "exim4-config", "exim4-daemon-heavy", "exim4-daemon-light")
#: Exim's own words in aliases, and the first line of a filter in somebody's .forward; Postfix knows neither.
_ONLY_EXIM = re.compile(r"^[^#:\n]+:.*:(blackhole|defer|fail|unknown):|\A# *(Exim|Sieve) filter", re.MULTILINE)
_MAIL_ID = re.compile(r"^(?:\w{6}-\w{6}-\w{2}|\w{6}-\w{11}-\w{4})(?=-)")


@dataclass
class Exim:
    """What was seen of it.

    package: whose program it is, "" if no package's. settings, start: the lines of the two files. edited: files of its
    packages that differ from these. added: files beside them. foreign: other files with words that only Exim knows.
    mails: in its queue, each with whether it is frozen. removed: what Postfix's package would have removed.
    obstacle: why it cannot be installed, "" if it can.
    """

    package: str
    host: str = ""
    settings: Sequence[str] = ()
    start: Sequence[str] = ()
    edited: Sequence[str] = ()
    added: Sequence[str] = ()
    foreign: Sequence[str] = ()
    mails: Mapping[str, bool] = field(default_factory=dict)
    removed: Sequence[str] = ()
    obstacle: str = ""


def in_use(exim: Exim) -> list[str]:
    """What speaks against its removal, each in a few words; nothing where nobody would miss it. Pure."""
    if not exim.package.startswith("exim4-daemon"):
        return ["its program is not from one of Debian's packages of Exim"]
    found = []
    if exim.mails:
        frozen = sum(exim.mails.values())
        how_many = "1 mail" if len(exim.mails) == 1 else f"{len(exim.mails)} mails"
        found.append(f"{how_many} in its queue, /{_SPOOL}/input" + (f" ({frozen} of them frozen)" if frozen else ""))
    found += _differing(_SETTINGS, exim.settings, _DEFAULTS)
    domains = _other_domains(exim)
    if domains:
        found.append(f"mail for {', '.join(domains)} stays on this host (dc_other_hostnames)")
    found += _differing(_START, exim.start, _START_DEFAULTS)
    for files, why in (
        (exim.edited, "has been changed"),
        (exim.added, "has been added"),
        (exim.foreign, "says what only Exim understands"),
    ):
        found += [f"{name} {why}" for name in files]
    others = sorted(set(exim.removed) - set(_PACKAGES))
    if others:
        found.append(f"Postfix's package would remove {', '.join(others)} too")
    elif exim.obstacle or exim.package not in exim.removed:
        found.append(f"apt-get would not put Postfix in its place ({exim.obstacle or 'it keeps ' + exim.package})")
    return found


def _assignment(line: str) -> Optional[tuple[str, str]]:
    """Name and value of a shell's assignment; without a name where it is something else, None for a comment."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return "", line
    name, equals, value = words[0].partition("=") if words else ("", "", "")
    return ((name, value) if len(words) == 1 and equals else ("", line)) if words else None


def _differing(path: str, lines: Sequence[str], defaults: Mapping[str, Optional[str]]) -> list[str]:
    """The lines of a file that are not as the package makes them."""
    found = [(line.strip(), *pair) for line in lines if (pair := _assignment(line))]
    return [
        f"/{path} says {line}"
        for line, name, value in found
        if name not in defaults or defaults[name] not in (None, value)
    ]


def _other_domains(exim: Exim) -> list[str]:
    """The domains that it delivers here and that are not the name of this host.

    A name without a dot is no domain, and may be the name that the host had when its image was made.
    """
    own = exim.host.partition(".")[0].lower()
    pairs = [pair for line in exim.settings if (pair := _assignment(line))]
    listed = " ".join(value for name, value in pairs if name == "dc_other_hostnames").lower()
    names = {name for name in re.split(r"[\s:;,]+", listed) if "." in name}
    return sorted(name for name in names if name.partition(".")[0] not in (own, "localhost"))


def look(program: Path, run: Runner, root: Path = Path("/")) -> Exim:
    """Everything that is judged. program: where it is on this host. Raises PermissionError for who is not root."""
    owner = run(["dpkg-query", "--search", str(program)], "")
    package = "" if owner.code else owner.out.partition(":")[0]
    if not package.startswith("exim4-daemon"):
        return Exim(package)
    removal = run(["apt-get", "--simulate", "-o", "Debug::NoLocking=true", "install", "postfix"], "")
    removed = re.findall(r"^Remv (\S+)", removal.out, re.MULTILINE)
    there = run(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n", *_PACKAGES], "").out
    packages = sorted(line.partition(" ")[2] for line in there.splitlines() if line.startswith("installed "))
    changed = re.findall(r" (/\S+)", run(["dpkg", "--verify", *packages], "").out)
    known = set(run(["dpkg-query", "--listfiles", *packages], "").out.splitlines())
    aliases = [root / "etc/aliases", root / "root/.forward", *sorted((root / "home").glob("*/.forward"))]
    return Exim(
        package,
        os.uname().nodename,
        _text(root / _SETTINGS).splitlines(),
        _text(root / _START).splitlines(),
        # Documentation is left out of many images.
        [path for path in changed if path.startswith("/etc/") or path == str(program)],
        [path for path in _files(root / "etc/exim4", root) if path not in known and not _is_usual(path)],
        [f"/{path.relative_to(root)}" for path in aliases if _ONLY_EXIM.search(_text(path))],
        _mails(root),
        removed,
        "" if removal.code == 0 else (removal.err.strip().splitlines() or ["no reason given"])[-1],
    )


def _is_usual(path: str) -> bool:
    """Whether the package makes this file without counting it among its own, or dpkg has kept it aside."""
    return path == f"/{_SETTINGS}" or ".dpkg-" in path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _files(folder: Path, root: Path) -> list[str]:
    """All files in a folder and below, as the host names them."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    found = [Path(place, name) for place, _folders, names in os.walk(folder, onerror=fail) for name in names]
    return sorted(f"/{path.relative_to(root)}" for path in found)


def _mails(root: Path) -> dict[str, bool]:
    """What is in its queue, in all its parts: each mail, and whether it is frozen. One that is cut off counts too."""
    found: dict[str, bool] = {}
    for path in _files(root / _SPOOL, root):
        if "/input/" in path:
            name = Path(path).name
            mail = _MAIL_ID.match(name)
            frozen = name.endswith("-H") and re.search(r"^-frozen\b", _text(root / path[1:]), re.MULTILINE) is not None
            key = mail.group() if mail else name
            found[key] = found.get(key, False) or frozen
    return found


def replaceable(run: Runner, root: Path = Path("/")) -> list[str]:
    """The packages of an Exim for which Postfix may step in.

    Raises PostfixError with all that was found where somebody may miss it, or where it is another mail server.
    """
    found = find_other_mail_server(root)
    if found is None or found[0] != "Exim":
        name = found[0] if found else "Nothing"
        raise PostfixError(
            f"{name} handles the mail of this host, and only an idle Exim of Debian is replaced; remove it by hand, or "
            "leave this host out.",
            "host_managed",
        )
    exim = look(Path("/", found[1].relative_to(root)), run, root)
    reasons = in_use(exim)
    if reasons:
        raise PostfixError(
            "Exim handles the mail of this host, and it was left alone, as somebody may miss it: "
            f"{'; '.join(reasons)}. Settle that, or replace it by hand, and run this again.",
            "host_managed",
        )
    return sorted(set(exim.removed))


def way_back(root: Path = Path("/")) -> list[str]:
    """How to have again what Postfix has replaced, as a warning; nothing where it has replaced nothing."""
    packages = _text(root / _REPLACED).strip()
    if not packages:
        return []
    return [
        "Postfix has replaced Exim on this host, and stays. To have Exim again, with the files in /etc/exim4 as they "
        f"are: apt-get install {packages}"
    ]
