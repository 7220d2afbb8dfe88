# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the examples need around them: passwords, people at the vendor, profiles, and how each kind of block runs."""

from __future__ import annotations

import copy
import os
import re
import shutil
from typing import Any

from tests.support.documentation import COLLECTION
from tests.support.machine import PEOPLE, Machine
from tests.support.thunderbird_profile import make_profile

#: A block that is shown but cannot run says why: `# not run: ...` in YAML, `<!-- not run: ... -->` before a fence.
NOT_RUN = re.compile(r"^(?:# not run: (?P<yaml>.+)|<!-- not run: (?P<markdown>.+) -->)$", re.MULTILINE)
#: The name of a task that shows what the one before has returned.
RETURNED = "returned"
#: Variables that hold a password; what is behind `vault_` is the same password.
PASSWORDS = ["alice", "alice_new", "alice_old", "bob", "bob_primary", "cellar", "ceo", "example_net", "example_org"]
PASSWORDS += ["info", "newsletter", "scanner", "server", "shop", "web1", "web1_next"]
#: Who is at the vendor before the examples of mail servers and logins: (domain, username) -> name of the password.
SENDERS = {
    ("example.com", "alice"): "alice",
    ("example.com", "info"): "info",
    ("example.com", "newsletter"): "newsletter",
    ("example.com", "server"): "server",
    ("example.com", "shop"): "shop",
    ("example.com", "web1"): "web1",
    ("example.net", None): "example_net",
}
#: How a block of variables runs: the variable that it sets, the playbook that reads it, and whether a second run of
#: that has nothing to do.
PLAYBOOKS = {
    "spamexperts_rotation": ("rotate_credentials", False),
    "spamexperts_audit_accepted": ("audit", False),
}
#: Prefixes of variables that a guide puts into the inventory; the blocks after it run with them.
INVENTORY = (
    *(
        "spamexperts_fail_on",
        "spamexperts_accounts",
        "spamexperts_credential_store",
        "spamexperts_defaults",
        "spamexperts_domains",
    ),
    "outgoing_mail_",
)


def password(name: str) -> str:
    """The password that the examples call `name`_password."""
    return f"{name}: correct horse"


def variables(machine: Machine) -> dict[str, str]:
    """Every variable that an example takes for granted."""
    passwords = {f"{prefix}{name}_password": password(name) for name in PASSWORDS for prefix in ("", "vault_")}
    return {**passwords, "password_folder": "~/smarthost", "vault_api_password": machine.emulator.api_password}


def prepare(machine: Machine, *, senders: bool) -> None:
    """Bring vendor, DNS, mail server and people back to where every block of examples starts."""
    for emulator in (machine.emulator, machine.documented_emulator):
        emulator.reset()
    domains = ["example.com", "example.org", "example.net"]
    users = [
        {
            "domain": domain,
            "username": username or "",
            "authentication_method": "user" if username else "domain",
            "password": password(name),
            "footer": "none",
        }
        for (domain, username), name in SENDERS.items()
    ]
    machine.emulator.seed(domains=domains, users=users if senders else [])
    machine.documented_emulator.seed(domains=domains, users=users)
    machine.names.txt("example.com", "v=spf1 mx -all")
    machine.names.txt("_dmarc.example.com", "v=DMARC1; p=reject")
    machine.names.txt("spf.antispamcloud.com", "v=spf1 ip4:192.0.2.0/24 -all")
    for name in PEOPLE:
        shutil.rmtree(machine.folder / "home" / name / ".thunderbird", ignore_errors=True)
    bob = machine.folder / "home" / "bob" / ".thunderbird" / "abcd1234.default-release"
    make_profile(bob, primary_password=password("bob_primary"))
    for path in [bob.parent, bob, *bob.rglob("*")]:
        os.chown(path, PEOPLE["bob"], PEOPLE["bob"])
    for folder in (machine.work, machine.folder / "home" / "root"):
        shutil.rmtree(folder)
        folder.mkdir()
    (machine.folder / "home" / "root" / "smarthost").mkdir()
    described = machine.work / "domains" / "example.com.yml"
    described.parent.mkdir()
    described.write_text("domain: example.com\nsenders:\n  - username: alice\n  - username: server1\n    relay: true\n")
    vault = machine.work / "vault-password"
    vault.write_text("the vault of the examples")


def reason_not_run(text: str) -> str:
    """Why this block is not run; empty for one that is."""
    found = NOT_RUN.search(text)
    return (found["yaml"] or found["markdown"]) if found else ""


def is_inventory(data: dict[str, Any]) -> bool:
    """Tell an inventory from variables; those of the quick starts are followed in a test of their own."""
    return any({"hosts", "vars"} & group.keys() for group in data.values() if isinstance(group, dict))


def is_play(entry: dict[str, Any]) -> bool:
    """Tell a play from a task."""
    return "hosts" in entry or "import_playbook" in entry or "ansible.builtin.import_playbook" in entry


def thrice(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each task in check mode, for real and again; `check: `, `run: ` or `again: ` stands before its name.

    A task that only looks, or shows check mode, runs once. What a task with no_log returns is shown by another one.
    """
    found = []
    for task in tasks:
        changing = any(key.startswith(f"{COLLECTION}.") and not key.endswith("_info") for key in task)
        for phase in ("check", "run", "again") if changing and "check_mode" not in task else ("once",):
            one = copy.deepcopy(task)
            one["name"] = f"{phase}: {task['name']}"
            if phase == "check":
                one["check_mode"] = True
            found.append(one)
            if "no_log" in task:
                found.append({"name": RETURNED, "ansible.builtin.debug": {"msg": f"{{{{ {task['register']} }}}}"}})
    return found


def twice(plays: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All plays for real, and then again; `run: ` or `again: ` stands before their names."""
    return [{**play, "name": f"{phase}: {play['name']}"} for phase in ("run", "again") for play in plays]


def play_of(tasks: list[dict[str, Any]], machine: Machine, **keywords: Any) -> dict[str, Any]:
    """A play on one host with these tasks; DNS is elsewhere, and the administrator trusts the server's help page."""
    defaults = {
        f"{COLLECTION}.sender_dns_info": {"nameservers": [machine.names.host], "port": machine.names.port},
        f"{COLLECTION}.spf_info": {"nameservers": [machine.names.host], "port": machine.names.port},
        f"group/{COLLECTION}.api": {"use_discovered_methods": True},
    }
    return {
        "name": "examples",
        "hosts": "mail1",
        "gather_facts": False,
        "module_defaults": defaults,
        **keywords,
        "tasks": tasks,
    }


#: Modules and guides that create people at the vendor, and begin without any.
WITHOUT_SENDERS = {"outgoing_user", "outgoing_users", "README.md", "docs/onboarding.md", "docs/schnellstart.md"}
WITHOUT_SENDERS |= {"docs/apply.md", "docs/descriptions.md", "docs/rotation.md", "docs/shared-addresses.md"}
WITHOUT_SENDERS |= {"docs/thunderbird.md", "docs/hacked-mailbox.md"}
RELAY = {f"{COLLECTION}.postfix_relay": {"default_login": "shop@example.com", "default_password": password("shop")}}
#: A mail that waits, as the smarthost refuses the login.
WRONG = {f"{COLLECTION}.postfix_relay": {"default_login": "shop@example.com", "default_password": password("web1")}}
MAIL = {"ansible.builtin.command": {"cmd": "sendmail -f shop@example.com someone@elsewhere.example", "stdin": "hello"}}
#: What has to be there before the examples of a module.
BEFORE: dict[str, list[dict[str, Any]]] = {
    "import_site": [RELAY],
    "handout": [{f"{COLLECTION}.credential_store": {"path": "./credentials.yml", "names": ["alice@example.com"]}}],
    "postfix_queue_info": [WRONG, MAIL],
    "postfix_relay_info": [RELAY],
    "postfix_test_mail": [RELAY],
    "rotation": [{f"{COLLECTION}.credential_store": {"path": "./credentials.yml", "names": ["web1@example.com"]}}],
    "thunderbird_outgoing_server_info": [
        {
            f"{COLLECTION}.thunderbird_outgoing_server": {
                "users": ["alice"],
                "login": "info@example.com",
                "password": password("info"),
            }
        }
    ],
}


def _shown(task: dict[str, Any]) -> list[dict[str, Any]]:
    """A task without a log, and one that shows what it has returned."""
    show = {"name": RETURNED, "ansible.builtin.debug": {"msg": "{{ hidden }}"}}
    return [{**task, "no_log": True, "register": "hidden"}, show]


#: What somebody makes of the way to the smarthost.
SPOIL = """cp -p main.cf main.cf.kept
postconf -e relayhost=[192.0.2.1] default_transport=smtp: 'smtp_tls_policy_maps = inline:{ { .com = may } }' \\
  'transport_maps = inline:{ { inside.example = smtp:[192.0.2.2] } }'"""


def _main_cf(script: str) -> dict[str, Any]:
    """Run a script where main.cf is."""
    return {"ansible.builtin.shell": {"cmd": f'cd "$(postconf -h config_directory)"\n{script}'}}


def more_tasks(name: str, machine: Machine) -> list[dict[str, Any]]:
    """Tasks that reach what a module returns only where its examples do not go."""
    alice = {"domain": "example.com", "username": "alice"}
    # Where nothing lists the users, much is not known.
    server = machine.documented_emulator.connection
    gone = {"domain": "example.com", "state": "absent", "remove_outgoing_users": True}
    store = {"path": "./credentials.yml", "names": ["web1@example.com"]}
    taken: dict[str, Any] = {"describe": False, "hosts": {"mail1": "{{ found }}"}}
    prove = {"phase": "prove", "found": "{{ found.found }}", "logins": ["shop@example.com"]}
    tasks: dict[str, list[dict[str, Any]]] = {
        "import_site": [
            {"import_site": {"phase": "begin", **taken}, "register": "begun"},
            {"import_site": {"phase": "finish", "run": "{{ begun.run }}", **taken}},
            *_shown({"import_site": prove}),
        ],
        "thunderbird_outgoing_server_info": _shown({"thunderbird_outgoing_server_info": {"passwords": True}}),
        "outgoing_user": [
            {"outgoing_user": {**server, **alice, "password": password("alice")}, "check_mode": True},
            {"outgoing_user": {**server, **alice}},
        ],
        "outgoing_users": [
            {"outgoing_users": {**server, "users": [{**alice, "password": password("alice")}]}, "check_mode": True},
            {"outgoing_users": {**server, "users": [alice]}},
        ],
        "domain": [{"domain": {**server, **gone}, "check_mode": True}, {"domain": gone}],
        "domains": [{"domains": {**server, "domains": [gone]}, "check_mode": True}, {"domains": {"domains": [gone]}}],
        "declaration": [{"declaration": {"path": "./none"}, "ignore_errors": True}],
        "postfix_queue_info": [{"ansible.builtin.command": {"cmd": "postsuper -d ALL"}}],
        "postfix_relay_info": [
            _main_cf(SPOIL),
            {"postfix_relay_info": {"past": True}},
            _main_cf("mv main.cf.kept main.cf"),
        ],
        "credential_store": [{"credential_store": {**store, "state": state}} for state in ("staged", "switched")],
    }
    return [
        {"name": "more", **{f"{COLLECTION}.{key}" if key == name else key: value for key, value in task.items()}}
        for task in tasks.get(name, [])
    ]
