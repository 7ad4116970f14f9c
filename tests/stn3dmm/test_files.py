"""Atomic writing: whole files or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stn3dmm.files import atomic_path, existing_file, write_text


def test_write_text_replaces(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "one")
    write_text(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"
    assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_any_new_file(tmp_path):
    write_text(tmp_path / "ours", "")
    (tmp_path / "theirs").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "a.txt", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        write_text(tmp_path / "a.txt", "")


def test_existing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a thing"):
        existing_file(tmp_path / "none", "a thing")
    with pytest.raises(ValueError, match="not a file; expected a thing"):
        existing_file(tmp_path, "a thing")
    assert existing_file(__file__, "a test") == Path(__file__)
