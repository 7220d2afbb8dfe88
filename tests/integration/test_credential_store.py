# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential store and its lookup under a real ansible-playbook, with real vault passwords."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.interrupted import InterruptedRun, descendants
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook

STRANGE = "quo'te\"back\\slash {{ no_template }} ünï"
VAULT = Path(sys.executable).with_name("ansible-vault")


class Site:
    """A directory with a store, vault passwords and playbooks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "store.yml"
        self.environment = {**ansible_environment(directory), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
        for name in ("one", "two"):
            (directory / name).write_text(f"vault password {name}\n", encoding="utf-8")
        self.vault = [f"--vault-password-file={directory / 'one'}"]

    def play(self, *tasks: Mapping[str, Any], arguments: Sequence[str] | None = None) -> PlaybookRun:
        """Run tasks on localhost."""
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"spamexperts_credential_store": str(self.store)},
            "tasks": list(tasks),
        }
        book = self.directory / "play.yml"
        book.write_text(yaml.safe_dump([play], allow_unicode=True), encoding="utf-8")
        return run_playbook(
            str(book), ["-i", "localhost,", *(self.vault if arguments is None else arguments)], self.environment
        )

    def change(
        self, state: str = "present", *names: str, arguments: Sequence[str] | None = None, **options: Any
    ) -> PlaybookRun:
        """Run the module once."""
        return self.play(store_task(self, state, *names, **options), arguments=arguments)

    def view(self, *arguments: str) -> dict[str, Any]:
        """What ansible-vault shows of the store."""
        command = [str(VAULT), "view", *(arguments or self.vault), str(self.store)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        data: dict[str, Any] = yaml.safe_load(done.stdout)
        return dict(data["credentials"])


def store_task(site: Site, state: str, *names: str, **options: Any) -> dict[str, Any]:
    """A task with the module."""
    entries = [{"name": name} for name in names]
    return {
        "smarthost.spamexperts.credential_store": {
            "path": str(site.store),
            "state": state,
            "credentials": entries,
            **options,
        }
    }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def message(run: PlaybookRun) -> str:
    """The message of the failed task."""
    assert run.returncode == 2, run.output
    found = re.search(r'"msg": "((?:[^"\\]|\\.)*)"', run.output)
    assert found, run.output
    return str(json.loads(f'"{found.group(1)}"'))


def test_ansible_vault_reads_what_was_generated_and_a_second_run_changes_nothing(site: Site) -> None:
    first = site.change("present", "a@example.com", "b@example.com")
    assert first.changed() == 1
    content = site.store.read_bytes()
    assert content.startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    assert site.store.stat().st_mode & 0o777 == 0o600
    credentials = site.view()
    assert list(credentials) == ["a@example.com", "b@example.com"]
    passwords = [entry["current"] for entry in credentials.values()]
    assert len(set(passwords)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{32}", password) for password in passwords)
    assert site.change("present", "a@example.com", "b@example.com").changed() == 0
    assert site.store.read_bytes() == content


def test_check_mode_writes_nothing(site: Site) -> None:
    run = site.change("present", "a@example.com", arguments=[*site.vault, "--check", "--diff"])
    assert run.changed() == 1
    assert '"password": "(new)"' in run.output
    assert sorted(path.name for path in site.directory.iterdir() if path.name not in ("ansible", "tmp")) == [
        "one",
        "play.yml",
        "two",
    ]


def test_length_and_alphabet(site: Site) -> None:
    site.change("present", "a@example.com", password_length=50, password_alphabet="abcdef")
    assert re.fullmatch("[a-f]{50}", site.view()["a@example.com"]["current"])
    assert "too easy to guess" in message(site.change("present", "b", password_length=20, password_alphabet="aab"))
    assert "too easy to guess" in message(site.change("present", "b", password_length=11))
    assert "blank, a colon or a control" in message(site.change("present", "b", password_alphabet="abcdefghi :"))


def test_the_lookup_gives_current_or_next_and_nothing_is_ever_shown(site: Site) -> None:
    saved: list[str] = []

    def save(name: str, options: str) -> dict[str, Any]:
        saved.append(name)
        content = "{{ lookup('smarthost.spamexperts.credential', 'a', " + options + ") }}"
        return {
            "ansible.builtin.copy": {"dest": f"{site.directory}/{name}", "content": content, "mode": "0600"},
            "no_log": True,
        }

    tasks = [
        {
            "smarthost.spamexperts.credential_store": {
                "path": str(site.store),
                "credentials": [{"name": "a", "login": "old@example.com", "password": "{{ strange }}"}],
            },
            "vars": {"strange": {"__unsafe__": STRANGE}},
        },
        {**save("not_staged", ""), "vars": {"spamexperts_credential_use": "newest"}},
        store_task(site, "staged", credentials=[{"name": "a", "next_login": "new@example.com"}]),
        save("current", "use='current'"),
        save("next", "use='next'"),
        {**save("newest", ""), "vars": {"spamexperts_credential_use": "newest"}},
        save("before", "part='login'"),
        store_task(site, "switched", "a"),
        save("after", ""),
        save("login_after", "part='login'"),
    ]
    text = yaml.safe_dump(
        [
            {
                "hosts": "localhost",
                "connection": "local",
                "gather_facts": False,
                "vars": {"spamexperts_credential_store": str(site.store)},
                "tasks": tasks,
            }
        ],
        allow_unicode=True,
    )
    text = text.replace("strange:\n        __unsafe__:", "strange: !unsafe\n       ")
    book = site.directory / "lookup.yml"
    book.write_text(text, encoding="utf-8")
    run = run_playbook(str(book), ["-i", "localhost,", "-vvvv", "--diff", *site.vault], site.environment)
    assert run.returncode == 0, run.output
    found = {name: (site.directory / name).read_text(encoding="utf-8") for name in saved}
    assert found["current"] == STRANGE
    assert re.fullmatch(r"[A-Za-z0-9._-]{32}", found["next"])
    assert (found["not_staged"], found["newest"]) == (STRANGE, found["next"])
    assert found["after"] == found["next"]
    assert (found["before"], found["login_after"]) == ("old@example.com", "new@example.com")
    assert found["next"] not in run.output
    assert "quo'te" not in run.output
    assert "slash" not in run.output


def test_commit_and_roll_back(site: Site) -> None:
    site.change("present", "a", "b")
    before = site.view()
    site.change("staged", "a", "b")
    staged = site.view()
    assert site.change("staged", "a", "b").changed() == 0
    site.change("committed", "a")
    site.change("rolled_back", "b")
    after = site.view()
    former = {"former": before["a"]["current"], "former_login": "a"}
    assert after["a"] == {"login": "a", "current": staged["a"]["next"], **former}
    assert after["b"] == before["b"]
    assert site.change("absent", "b").changed() == 1
    assert list(site.view()) == ["a"]


def test_the_vault_id_is_kept(site: Site) -> None:
    ids = [f"--vault-id=dev@{site.directory / 'one'}", f"--vault-id=prod@{site.directory / 'two'}"]
    assert message(site.change("present", "a", arguments=ids)) == (
        f"credential store {site.store}: this run has several vault ids (dev, prod); choose one with vault_id."
    )
    assert "no password for the vault id test, only for dev, prod" in message(
        site.change("present", "a", arguments=ids, vault_id="test")
    )
    site.change("present", "a", arguments=ids, vault_id="prod")
    assert site.store.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    site.change("present", "b", arguments=ids)
    assert site.store.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    assert list(site.view(ids[1])) == ["a", "b"]


def test_without_a_vault_password(site: Site) -> None:
    assert message(site.change("present", "a", arguments=[])) == (
        f"credential store {site.store}: this run has no vault password; give one with --vault-password-file, "
        "--vault-id or --ask-vault-pass."
    )
    assert not site.store.exists()


def test_a_wrong_vault_password_and_a_file_in_clear(site: Site) -> None:
    site.change("present", "a")
    content = site.store.read_bytes()
    wrong = [f"--vault-password-file={site.directory / 'two'}"]
    assert "none of this run's vault passwords opens it" in message(site.change("present", "b", arguments=wrong))
    assert site.store.read_bytes() == content
    site.store.write_text("format: 1\ncredentials: {a: {current: in clear text}}\n", encoding="utf-8")
    run = site.change("present", "b")
    assert "it is not encrypted" in message(run)
    assert "in clear text" not in run.output


def test_ask_vault_pass(site: Site) -> None:
    site.change("present", "a")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(site.directory / "play.yml")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], [*command, "-i", "localhost,", "--ask-vault-pass"], site.environment)  # noqa: S606 - a terminal needs it
    shown = b""
    while b"Vault password" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, b"vault password one\n")
    with suppress(OSError):  # the end of a terminal
        while part := os.read(terminal, 1024):
            shown += part
    os.close(terminal)
    _pid, status = os.waitpid(pid, 0)
    assert status == 0, shown
    assert b"changed=0" in shown


def test_a_missing_credential_or_store(site: Site) -> None:
    assert "cannot be read: No such file or directory" in message(site.change("staged", "a"))
    site.change("present", "a")
    assert "it has no credential b; create it with" in message(site.change("staged", "a", "b"))
    assert "rotating" not in site.view()["a"]
    show = {"ansible.builtin.debug": {"msg": "{{ lookup('smarthost.spamexperts.credential', 'b') }}"}}
    assert "it has no credential b" in site.play(show).output


def test_two_runs_at_once(site: Site) -> None:
    site.change("present", "a")
    ready = site.directory / "ready"
    book = site.directory / "holder.yml"
    wait = {"ansible.builtin.shell": f"touch {ready}; sleep 60"}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [store_task(site, "present", hold=True), wait],
    }
    book.write_text(yaml.safe_dump([play]), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        str(book),
        "-i",
        "localhost,",
        "-c",
        "local",
        *site.vault,
    ]
    holder = subprocess.Popen(
        command, env=site.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        refused = message(site.change("staged", "a"))
        assert refused == (
            f"credential store {site.store} is kept by another run (process {holder.pid}); wait until it has ended. If "
            f"that process is no run of Ansible, remove {site.store.with_name('.store.yml.lock')} and run again."
        )
    finally:
        for pid in [holder.pid, *descendants(holder.pid)]:
            os.kill(pid, signal.SIGKILL)
        holder.wait()
    assert site.change("staged", "a").changed() == 1, "a run that was killed keeps nothing"


def running(process: int) -> bool:
    """Whether the process works, or could; one that nobody has waited for does not."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("moment", ["before its action", "while it waits for the store"])
def test_the_process_of_a_task_that_outlives_its_killed_run_changes_nothing(site: Site, moment: str) -> None:
    """It is stopped while ansible-playbook is killed, so it goes on as the child of another process."""
    site.change("present", "a")
    content, lock = site.store.read_bytes(), site.store.with_name(".store.yml.lock")
    ready, gate = site.directory / "ready", site.directory / "gate"
    os.mkfifo(gate)
    task = store_task(site, "staged", "a", hold=True)
    if moment == "before its action":
        wait = f"lookup('ansible.builtin.pipe', 'touch {ready}; cat {gate}')"
        task["smarthost.spamexperts.credential_store"]["path"] = f"{{{{ {wait} ~ '{site.store}' }}}}"
    book = site.directory / "killed.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(book), "-i", "localhost,", "-c", "local"]
    log = site.directory / "log"
    with lock.open("rb") as held, InterruptedRun([*command, *site.vault], site.environment, log, []) as run:
        fcntl.flock(held, fcntl.LOCK_EX)
        if moment == "before its action":
            wait_for(ready.exists)
        else:  # a line of somebody who waits has an arrow
            inode = str(lock.stat().st_ino)
            wait_for(lambda: bool(re.search(rf"-> FLOCK .*:{inode} ", Path("/proc/locks").read_text(encoding="utf-8"))))
        workers = [
            pid for pid in descendants(run.pid) if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        assert run.kill(alone=True)
        fcntl.flock(held, fcntl.LOCK_UN)
        if moment == "before its action":
            gate.write_text("", encoding="utf-8")
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        wait_for(lambda: not any(running(worker) for worker in workers))
    assert workers
    assert (site.store.read_bytes(), lock.read_text(encoding="utf-8")) == (content, "")
    assert site.change("staged", "a", hold=True).changed() == 1, "nobody keeps the store"


@pytest.mark.root
def test_ansible_as_process_1_keeps_the_store(site: Site) -> None:
    """As in a container that runs nothing else."""
    book = site.directory / "container.yml"
    tasks = [store_task(site, "present", "a", hold=True), store_task(site, "staged", "a")]
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    wrapper = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    run = run_playbook(str(book), ["-i", "localhost,", "-c", "local", *site.vault], site.environment, wrapper)
    assert run.returncode == 0, run.output
    lock = site.store.with_name(".store.yml.lock")
    assert json.loads(lock.read_text(encoding="utf-8"))["process"] == 1
    assert site.change("switched", "a").changed() == 1, "process 1 of this machine is another one"


def test_a_full_disk_leaves_the_store_as_it_was(site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system that is full")
    small = site.directory / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=True)
    try:
        site.store = small / "store.yml"
        site.change("present", "a")
        content = site.store.read_bytes()
        run = site.change("present", *(f"user{number}@example.com" for number in range(300)))
        refusal = f"credential store {site.store} cannot be written: No space left on device; it is as it was before."
        assert message(run) == refusal
        names = [f"user{number}@example.com" for number in range(300)]
        assert message(site.change("present", *names, arguments=[*site.vault, "--check"])) == refusal
        with suppress(OSError), (small / "filler").open("wb") as filler:
            filler.write(bytes(1 << 20))
        lock = small / ".store.yml.lock"
        assert message(site.change("present", "a", hold=True)) == (
            f"credential store {site.store} cannot be kept for this run: No space left on device ({lock}); it is as it "
            "was before."
        )
        (small / "filler").unlink()
        assert site.store.read_bytes() == content
        assert sorted(path.name for path in small.iterdir()) == [".store.yml.lock", "store.yml"]
    finally:
        subprocess.run(["umount", str(small)], check=True)
