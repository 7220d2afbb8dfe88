# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of a test host: mounts its root, starts Postfix and sshd, and collects what ends.

Runs as process 1 of its own namespaces, with the machine's own Python and the standard library only. When it ends, the
kernel ends everything else on the host and removes its mounts.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

MARKER = "etc/fleet-host"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
SYSTEM_LOG = "/var/log/syslog"
SSHD_CONFIG = """\
Port 22
HostKey /etc/ssh/fleet_host_key
AuthorizedKeysFile /etc/ssh/fleet_authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxStartups 200
MaxSessions 100
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""
MAIN_CF = """\
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = /usr/sbin
daemon_directory = {daemon_directory}
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}.fleet.test
mydestination = {name}.fleet.test, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
maillog_file = /var/log/mail.log
# Names come from /etc/hosts alone: no test mail can reach the network.
smtp_host_lookup = native
alias_maps =
"""


def main() -> None:
    """Arguments: the host's directory, its name, and "address name" lines for /etc/hosts."""
    home, name, hosts = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    root = home / "root"
    mount_root(home, root)
    if not (root / MARKER).exists():
        prepare(home, root, name, hosts)
    subprocess.run(["hostname", name], check=True)
    os.chroot(root)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", LANG="C.UTF-8")
    Path("/run/sshd").mkdir(mode=0o755)
    keep_system_log()
    # Blocked, so that one which arrives early waits for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    unblocked = {"preexec_fn": lambda: signal.pthread_sigmask(signal.SIG_SETMASK, set())}
    subprocess.run(["postfix", "start"], check=True, **unblocked)  # type: ignore[call-overload]  # one option, no dict
    sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/fleet_sshd_config"], **unblocked)  # type: ignore[call-overload]  # as above
    while signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) != signal.SIGTERM:
        while collect(sshd.pid):
            pass


def keep_system_log() -> None:
    """Start the process that writes to SYSTEM_LOG what programs of this host log, as a syslog daemon does."""
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)  # noqa: PTH101,S103 - a socket, for everybody as on any host
    if os.fork() == 0:
        while True:
            line = log.recv(1 << 20)
            with Path(SYSTEM_LOG).open("ab") as file:
                file.write(line.rstrip(b"\0\n") + b"\n")
    log.close()


def collect(sshd: int) -> bool:
    """Take the exit code of one ended process; the host ends with its sshd."""
    try:
        pid, _status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    if pid == sshd:
        sys.exit("sshd has ended")
    return pid != 0


def mount_root(home: Path, root: Path) -> None:
    """Lay the host's own files over the machine's, and hide what belongs to the machine alone."""
    for directory in (root, home / "upper", home / "work", home / "home"):
        directory.mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir=/,upperdir={home / 'upper'},workdir={home / 'work'}"
    mount("-t", "overlay", "-o", layers, "overlay", str(root))
    mount("-t", "proc", "proc", str(root / "proc"))
    mount("--bind", str(home / "home"), str(root / "root"))
    for name in ("dev", "run", "tmp"):
        mount("-t", "tmpfs", "tmpfs", str(root / name))
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", str(root / "dev" / name))
    for name in ("pts", "shm"):
        (root / "dev" / name).mkdir()
    mount("--bind", "/dev/pts", str(root / "dev/pts"))
    mount("-t", "tmpfs", "tmpfs", str(root / "dev/shm"))
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (root / "dev" / name).symlink_to(f"/proc/self/fd{target}")


def mount(*arguments: str) -> None:
    """Mount something, in this namespace only."""
    subprocess.run(["mount", *arguments], check=True)


def prepare(home: Path, root: Path, name: str, hosts: str) -> None:
    """What is done once, before the first start."""
    daemon_directory = subprocess.run(
        ["postconf", "-d", "-h", "daemon_directory"], capture_output=True, text=True, check=True
    ).stdout.strip()
    configuration = root / "etc/postfix"
    kept = {item: (configuration / item).read_bytes() for item in ("dynamicmaps.cf", "postfix-files")}
    parts = {
        f"{folder}/{file.name}": file.read_bytes()
        for folder in ("dynamicmaps.cf.d", "postfix-files.d")
        if (configuration / folder).is_dir()
        for file in (configuration / folder).iterdir()
    }
    for directory in (configuration, root / "var/spool/postfix", root / "var/lib/postfix"):
        clear(directory)
    shutil.chown(root / "var/lib/postfix", "postfix")
    for path, content in {**kept, **parts}.items():
        (configuration / path).parent.mkdir(exist_ok=True)
        (configuration / path).write_bytes(content)
    (configuration / "main.cf").write_text(MAIN_CF.format(name=name, daemon_directory=daemon_directory))
    # For two seconds after a change every program of Postfix pauses before it reads it.
    then = (configuration / "main.cf").stat().st_mtime - 60
    os.utime(configuration / "main.cf", (then, then))
    shutil.copy("/usr/share/postfix/master.cf.dist", configuration / "master.cf")
    # Without a copy of /etc/hosts in a chroot, no name would be found.
    subprocess.run(["chroot", root, "postconf", "-F", "*/*/chroot=n"], check=True)
    for file in ("var/log/mail.log", SYSTEM_LOG.lstrip("/")):
        (root / file).unlink(missing_ok=True)
    (root / "etc/hosts").unlink(missing_ok=True)
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{hosts}\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")
    (root / "etc/hostname").write_text(f"{name}\n")
    # sshd refuses an account whose password field begins with "!".
    shadow = root / "etc/shadow"
    lines = ["root:*:19000:0:99999:7:::" if x.startswith("root:") else x for x in shadow.read_text().splitlines()]
    shadow.write_text("\n".join(lines) + "\n")
    modules = os.environ.get("PYTHONPATH")
    (root / "etc/ssh/fleet_sshd_config").write_text(SSHD_CONFIG + (f"SetEnv PYTHONPATH={modules}\n" if modules else ""))
    for source, target in (("host_key", "fleet_host_key"), ("authorized_keys", "fleet_authorized_keys")):
        (root / "etc/ssh" / target).write_bytes((home / source).read_bytes())
        (root / "etc/ssh" / target).chmod(0o600)
    (root / MARKER).touch()


def clear(directory: Path) -> None:
    """Remove everything in a directory, which stays."""
    for item in directory.iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


if __name__ == "__main__":
    main()
