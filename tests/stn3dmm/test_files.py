"""Atomic writing: whole files or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stn3dmm.files import atomic_path, atomic_paths, check_folder, existing_file, write_text


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


def test_all_files_or_none(tmp_path):
    """A folder stands where the second file should go: the first keeps its old content, the third is not made."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()

    def write(names: str) -> None:
        with atomic_paths([tmp_path / name for name in names]) as temporaries:
            for temporary in temporaries:
                temporary.write_text("new")

    with pytest.raises(OSError, match=r"/b: a folder; expected a file"):
        write("abc")
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    write("ac")
    assert (tmp_path / "a").read_text() == (tmp_path / "c").read_text() == "new"


def test_new_files_go_when_a_rename_fails(tmp_path, monkeypatch):
    def replace(source, target, original=os.replace):
        if Path(target).name == "b":
            raise PermissionError(13, "Permission denied", source, None, target)
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with (
        pytest.raises(PermissionError) as caught,
        atomic_paths([tmp_path / "a", tmp_path / "b"]),
    ):
        pass
    assert str(caught.value) == f"[Errno 13] Permission denied: '{tmp_path / 'b'}'"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("owner", "step"), [(Path, "touch"), (os, "replace")])
def test_an_interrupt_at_any_step_leaves_nothing(tmp_path, monkeypatch, owner, step):
    original = getattr(owner, step)

    def interrupted(*arguments, **options):
        original(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "")
    assert not list(tmp_path.iterdir())


def test_errors_name_the_target(tmp_path):
    with pytest.raises(OSError, match=r"a\.txt'$"), atomic_path(tmp_path / "a.txt") as temporary:
        raise OSError(28, "No space left on device", str(temporary))
    name = "x" * 300 + ".txt"
    with pytest.raises(OSError, match=rf"{name}'$"):
        write_text(tmp_path / name, "")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_names_the_target(tmp_path):
    """The error of a write knows no file; of several targets it cannot be told which."""

    def write(*names: str) -> None:
        with atomic_paths([tmp_path / name for name in names]), Path("/dev/full").open("w") as stream:
            stream.write("a")
            stream.flush()

    for names, named in ((["a.txt"], tmp_path / "a.txt"), (["a.txt", "b.txt"], tmp_path)):
        with pytest.raises(OSError, match="No space left on device") as caught:
            write(*names)
        assert caught.value.filename == str(named)
    with pytest.raises(FileNotFoundError, match=r"'nowhere'$"), atomic_path(tmp_path / "a.txt"):
        Path("nowhere").read_text()


def test_check_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "deep" / "deeper"):
        with pytest.raises(NotADirectoryError, match=r"/file: not a folder; expected a folder for the results"):
            check_folder(place)
    check_folder(tmp_path / "new" / "newer")
    check_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


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
