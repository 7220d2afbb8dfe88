# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B5, B6 and B8: real mail servers, reached over SSH."""

from __future__ import annotations

import json
import math
import secrets
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    BenchmarkError,
    Figure,
    SkippedError,
    alternate,
    at_least,
    at_most,
    bounded,
    without_limit,
)
from tests import ROOT
from tests.fleet import Fleet, fleet_emulator, why_impossible
from tests.support.playbook import PlaybookRun, run_playbook
from tests.support.rotation import RotationSite

_HOSTS = 10
_FORKS = f"--forks={_HOSTS}"
_MANY_HOSTS = 40
_MOST_TASKS, _MOST_TASKS_OF_ANY_KIND = 1, 8
#: The role at rest, in times of what ansible-core takes for nothing.
_MOST_TIMES_CORE = 2.5
#: Actions of which no host hears anything.
_ON_CONTROLLER = {
    f"ansible.builtin.{name}" for name in ("assert", "include_tasks", "set_fact", "validate_argument_spec")
}
_HOST_COUNTS = (1, 5, 10, 20)
_LOGIN_COUNTS = (1, 100, 1000)
#: Seconds in which a mail server may have a password that the vendor takes no longer, however many servers there are.
_MOST_WINDOW = 3


class _Site(RotationSite):
    """With logins of people, too, which no mail server uses."""

    people: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        return [*super().names, *self.people]


@contextmanager
def _site(hosts: int = _HOSTS, people: int = 0) -> Iterator[RotationSite]:
    """Mail servers, each of which sends through the emulator with a login of its own from the store."""
    impossible = why_impossible()
    if impossible:
        raise SkippedError(impossible)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as directory,
        Fleet(hosts) as fleet,
        fleet_emulator(fleet) as emulator,
    ):
        site = _Site(fleet, emulator, Path(directory))
        site.people = [f"person{number}@example.com" for number in range(people)]
        site.set_up()
        yield site


def _play(site: RotationSite, content: dict[str, Any]) -> Path:
    path = site.folder / f"{content['name']}.yml"
    path.write_text(json.dumps([{"hosts": "mail_relays", "gather_facts": False, **content}]), encoding="utf-8")
    return path


def _timed(
    site: RotationSite, playbook: Path, environment: Mapping[str, str] | None = None, hosts: int = _HOSTS
) -> tuple[float, PlaybookRun]:
    """Seconds of a run on the first hosts of the site, with a fork for each."""
    started = time.perf_counter()
    chosen = [f"--forks={hosts}", "--limit", ",".join(host.name for host in site.fleet.hosts[:hosts])]
    run = run_playbook(str(playbook), [*site.arguments, *chosen], {**site.environment, **(environment or {})})
    if run.returncode or len(run.recap()) != hosts:
        raise BenchmarkError(f"{playbook.name} failed:\n{run.output[-3000:]}")
    return time.perf_counter() - started, run


def _kinds_of_tasks(site: RotationSite, playbook: Path) -> Counter[str]:
    """How many tasks of a play run something on each host, are the controller's own, and are left out."""
    log = site.folder / "results"
    recorded = {"ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/support/callbacks"), "RECORDED_RESULTS": str(log)}
    _timed(site, playbook, recorded)
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return Counter({kind: math.ceil(count / _HOSTS) for kind, count in Counter(map(kind_of_task, entries)).items()})


def kind_of_task(entry: Mapping[str, Any]) -> str:
    """Where this task did something; entry: as the callback `record` writes it."""
    if entry["outcome"] == "skipped":
        return "left out"
    return "controller" if entry["action"] in _ON_CONTROLLER else "host"


def tasks_of_core(kinds: Mapping[str, int]) -> list[dict[str, Any]]:
    """As many tasks that do nothing: what ansible-core alone takes for a play of this form."""
    ping: dict[str, Any] = {"name": "Ping", "ansible.builtin.ping": {}}
    nothing = {
        "host": ping,
        "controller": {"name": "Check nothing", "ansible.builtin.assert": {"that": "true", "quiet": True}},
        "left out": {**ping, "when": False},
    }
    return [nothing[kind] for kind in nothing for _number in range(kinds[kind])]


def _role(site: RotationSite) -> Path:
    return _play(site, {"name": "role", "roles": ["smarthost.spamexperts.outgoing_mail"]})


def _at_rest(site: RotationSite, playbook: Path, hosts: int = _HOSTS) -> float:
    seconds, run = _timed(site, playbook, hosts=hosts)
    if run.changed():
        raise BenchmarkError("the second run changed something")
    return seconds


def role_again(runs: int) -> list[Figure]:
    """B5: the second run of the role beside a play of as many tasks that do nothing, which is ansible-core's share.

    And on many hosts beside a few.
    """
    with _site() as site:
        role = _role(site)
        kinds = _kinds_of_tasks(site, role)
        core = _play(site, {"name": "core", "tasks": tasks_of_core(kinds)})
        mine, peers = alternate(lambda: _at_rest(site, role), lambda: _timed(site, core)[0], runs)
    with _site(_MANY_HOSTS) as site:
        role = _role(site)
        many, few = alternate(lambda: _at_rest(site, role, _MANY_HOSTS), lambda: _at_rest(site, role), runs)
    note = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    name = f"B5 role, nothing to change, {_HOSTS} hosts / as many tasks that do nothing"
    return [
        at_most(name, mine, peers, _MOST_TIMES_CORE, note),
        at_most(f"B5 role, nothing to change, {_MANY_HOSTS} hosts / {_HOSTS} hosts", many, few, _MANY_HOSTS / _HOSTS),
        bounded("B5 tasks per host", kinds["host"], _MOST_TASKS, ""),
        bounded("B5 tasks of any kind", kinds.total(), _MOST_TASKS_OF_ANY_KIND, ""),
    ]


def rotation_window(runs: int) -> list[Figure]:
    """B6: from the first password that the vendor changes to the last mail server that has its new one in its table."""
    reported: list[float] = []
    with _site() as site:

        def window(started: float, table: str) -> float:
            """Seconds; a table is in place when it was renamed or written, which is its ctime in both cases."""
            requests = [entry for entry in site.emulator.requests() if entry["time"] >= started]
            changes = [float(entry["time"]) for entry in requests if "setpassword" in entry["path"]]
            tables = [host.path(f"/etc/postfix/{table}").stat().st_ctime for host in site.fleet.hosts]
            if len(changes) != _HOSTS or min(tables) < started:
                raise BenchmarkError("not every login got a new password")
            return max(tables) - min(changes)

        def ours() -> float:
            for name, entry in site.stored().items():  # the peer has changed them
                site.emulator.set_password("example.com", name.partition("@")[0], entry["current"])
            started = time.time()
            run = site.rotate(_FORKS)
            if run.returncode or set(site.outcomes().values()) != {"committed"}:
                raise BenchmarkError(f"the rotation failed:\n{run.output[-3000:]}")
            reported.append(max(float(entry["window_seconds"]) for entry in site.report()["credentials"]))
            return window(started, "smarthost_passwords.db")

        def theirs() -> float:
            started = time.time()
            variables = {
                "api_url": site.emulator.connection["api_url"],
                "username": site.emulator.connection["api_username"],
                "password": site.emulator.connection["api_password"],
                "ca_file": site.emulator.connection["ca_path"],
                "new_passwords": {host.name: secrets.token_urlsafe(18) for host in site.fleet.hosts},
            }
            values = site.folder / "peer.json"
            values.write_text(json.dumps(variables), encoding="utf-8")
            arguments = [*site.arguments, _FORKS, "-e", f"@{values}"]
            run = run_playbook(str(ROOT / "benchmarks/peers/rotate_passwords.yml"), arguments, site.environment)
            if run.returncode:
                raise BenchmarkError(f"the serial playbook failed:\n{run.output[-3000:]}")
            return window(started, "sasl_passwd.db")

        mine, peers = alternate(ours, theirs, runs)
    note = f"our report counts from the start of the task that changes passwords: {statistics.median(reported):.1f} s"
    return [at_least(f"B6 rotation window, {_HOSTS} hosts and logins / serial playbook", mine, peers, 5, note)]


def rotation_growth(runs: int) -> list[Figure]:
    """B8: a whole rotation by the number of mail servers, and by the number of logins that no mail server uses."""
    repeated: set[int] = set()
    with _site(max(_HOST_COUNTS), max(_LOGIN_COUNTS)) as site:

        def rotation(chosen: str, names: list[str]) -> tuple[float, float]:
            """Wall time and the longest window, in seconds."""
            site.emulator.reset_counters()
            started = time.perf_counter()
            run = site.rotate(_FORKS, everything=False, **{chosen: names})
            wall = time.perf_counter() - started
            if run.returncode or set(site.outcomes().values()) != {"committed"}:
                raise BenchmarkError(f"the rotation failed:\n{run.output[-3000:]}")
            counters = site.emulator.counters()
            if counters["writes"] != len(names):  # each host has a login of its own
                raise BenchmarkError(f"{counters['writes']} writes for {len(names)} logins")
            repeated.add(counters["reads"])
            return wall, max(float(entry.get("window_seconds", 0)) for entry in site.report()["credentials"])

        cases = [
            *(("hosts", [host.name for host in site.fleet.hosts[:n]]) for n in _HOST_COUNTS),
            *(("logins", list(site.names[-n:])) for n in _LOGIN_COUNTS),
        ]
        measured: dict[str, list[tuple[float, float]]] = {f"{len(names)} {chosen}": [] for chosen, names in cases}
        for _number in range(runs):
            for chosen, names in cases:
                measured[f"{len(names)} {chosen}"].append(rotation(chosen, names))
    return [
        *rotation_figures(measured),
        bounded("B8 API reads that depend on hosts or logins", len(repeated) - 1, 0, ""),
    ]


def rotation_figures(measured: Mapping[str, Sequence[tuple[float, float]]]) -> list[Figure]:
    """What a whole rotation takes, and the window of mail servers. measured: seconds of both, by what is rotated."""
    figures, seconds = [], {}
    for name, results in measured.items():
        walls, windows = map(list, zip(*results))
        seconds[name] = statistics.median(walls)
        figures.append(without_limit(f"B8 rotation, {name}", walls))
        if name.endswith("hosts"):
            figures.append(bounded(f"B8 rotation, {name}: window", statistics.median(windows), _MOST_WINDOW, "s"))
    growth = seconds["20 hosts"] / seconds["10 hosts"]
    return [*figures, bounded(f"B8 rotation, 20 hosts / 10 hosts, {_FORKS[2:]}", growth, 2, "")]
