# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of descriptions as it may be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.form import Problem
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._domain_files import read_folder

EXAMPLE = "domain: example.com\nsenders:\n  - username: alice\n    limits:\n      per_hour: 200\n"


def write(folder: Path, content: str | bytes, name: str = "example.com.yml") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_files_are_read_with_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, EXAMPLE)
    write(tmp_path, "domain: b.example\nsenders: []\n", "b.example.yaml")
    write(tmp_path, "not: read", "notes.txt")
    write(tmp_path, "not: read", ".hidden.yml")
    (other, given), problems, warnings = read_folder(tmp_path, needed=True)
    assert (problems, warnings) == ([], [])
    assert given.content == {"domain": "example.com", "senders": [{"username": "alice", "limits": {"per_hour": 200}}]}
    assert given.sentence(Problem(("senders", 0, "limits", "per_hour"), "is wrong")) == (
        f"{path}, line 5: senders[0].limits.per_hour is wrong."
    )
    assert given.sentence(Problem(("senders", 0, "zebra"), "is wrong")) == f"{path}, line 3: senders[0].zebra is wrong."
    assert given.sentence(Problem((), "is wrong")) == f"{path}: is wrong."
    assert other.place.endswith("b.example.yaml")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [1\n", ", line 2: it is not valid YAML; correct it there, or just above."),
        ("domain: example.com\nsenders:\n\t- username: a\n", ", line 3: it is not valid YAML; there is a tab"),
        ("domain: a.example\ndomain: b.example\n", ", line 2: the key domain is there twice; keep one of them."),
        ("senders:\n  - username: a\n    username: b\n", ", line 3: the key username is there twice"),
        (
            "domain: '{{ name }}'\n",
            ", line 1: a description is data, so nothing replaces a template; put this domain into",
        ),
        ("a: 1\n'{% raw %}': x\n", ", line 2: a description is data, so nothing replaces a template"),
        (
            "a:\n  - !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    61\n",
            ", line 2: a description is data, so it cannot hold !vault",
        ),
        ("a: !unsafe x\n", ", line 1: a description is data, so it cannot hold !unsafe"),
        ("a: !!python/object/apply:os.system [true]\n", ", line 1: a description is data, so it cannot hold"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", ": it is encrypted, and a description is data"),
        ("a: 1\n---\nb: 1\n", ": it holds more than one document; give each domain a file of its own."),
        (b"a: \xff\n", ": it is not UTF-8; save it as UTF-8."),
        ("? [a]\n: 1\n", ", line 1: it is not valid YAML"),
        ("&a a: *b\n", ", line 1: it is not valid YAML"),
    ],
)
def test_what_is_no_description(tmp_path: Path, content: str | bytes, problem: str) -> None:
    path = write(tmp_path, content)
    given, problems, warnings = read_folder(tmp_path, needed=True)
    assert (given, warnings) == ([], [])
    assert [text.startswith(f"{path}{problem}") for text in problems] == [True], problems


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_read_as_nothing(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    (given,), problems, _warnings = read_folder(tmp_path, needed=True)
    assert (given.content, problems) == (None, [])


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    write(tmp_path, b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    (given,), problems, warnings = read_folder(tmp_path, needed=True)
    assert (problems, warnings) == ([], [])
    assert isinstance(given.content, dict)


def test_a_date_is_text(tmp_path: Path) -> None:
    write(tmp_path, "domain: 2026-11-30\n")
    (given,), _problems, _warnings = read_folder(tmp_path, needed=True)
    assert given.content == {"domain": "2026-11-30"}


def test_a_file_that_is_named_after_another_domain_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, EXAMPLE, "example.net.yml")
    _given, problems, warnings = read_folder(tmp_path, needed=True)
    assert problems == []
    assert warnings == [f"{path} describes example.com; name it example.com.yml, so that people find it."]


def test_links_and_what_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "domains"
    folder.mkdir()
    (folder / "example.com.yml").symlink_to(write(tmp_path, EXAMPLE, "elsewhere"))
    (folder / "gone.yml").symlink_to(tmp_path / "gone")
    (folder / "folder.yml").mkdir()
    given, problems, _warnings = read_folder(folder, needed=True)
    assert len(given) == 1
    assert problems == [
        f"{folder}/folder.yml: it cannot be read: Is a directory.",
        f"{folder}/gone.yml: it cannot be read: No such file or directory.",
    ]


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    missing = tmp_path / "domains"
    assert read_folder(missing, needed=False) == ([], [], [])
    assert read_folder(missing, needed=True)[1] == [
        f"{missing} is not there; describe a domain in {missing}/example.com.yml, or name another folder in "
        "spamexperts_domains_path."
    ]
    missing.mkdir()
    assert read_folder(missing, needed=True)[1][0].startswith(f"{missing} has no file that ends in .yml; ")
    file = write(tmp_path, EXAMPLE)
    assert read_folder(file, needed=False)[1] == [
        f"{file} cannot be read as a folder: Not a directory; correct spamexperts_domains_path."
    ]
