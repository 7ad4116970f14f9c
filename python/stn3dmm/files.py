"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what writing into an open file fails with
TEMPORARY = ".stn3dmm-"  # how the names of files begin that are not whole yet


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """`atomic_paths` for one file."""
    with atomic_paths([target]) as (temporary,):
        yield temporary


@contextlib.contextmanager
def atomic_paths(targets: Sequence[str | os.PathLike[str]]) -> Iterator[list[Path]]:
    """Yields a temporary path beside each target and renames all of them to the targets when the block succeeds.

    If the block raises, the temporary files are removed and the targets stay as they were. The renames come last, one
    after the other: should one of them fail, targets that did not exist before are removed again. A temporary name
    keeps the suffix of its target, because image libraries choose the format by it. Missing parent folders are created.

    Raises:
        OSError: a folder cannot be created or written, a target cannot be replaced, the disk is full; it names the
            target, or the folder where it cannot be told which of several.
    """
    paths = [Path(target) for target in targets]
    temporaries: dict[str, Path] = {}  # the name of each temporary file -> its target
    created: list[Path] = []
    try:
        for path in paths:
            check_folder(path.parent)
            path.parent.mkdir(parents=True, exist_ok=True)
            name = str(path.parent / f".stn3dmm-{secrets.token_hex(8)}{path.suffix}")
            temporaries[name] = path  # before the file is there, lest an interrupt between the two leave it
            Path(name).touch(exist_ok=False)
        yield [Path(name) for name in temporaries]
        _check_replaceable(paths)
        for name, path in temporaries.items():
            created += [] if path.exists() else [path]
            os.replace(name, path)
    except BaseException as error:
        for leftover in [*map(Path, temporaries), *created]:
            leftover.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and (place := _concerned(error, temporaries)):
            raise OSError(error.errno, error.strerror, str(place)) from error
        raise


def _concerned(error: OSError, temporaries: dict[str, Path]) -> Path | None:
    """The target that an error is about, or their folder; None: it is about something else."""
    if error.filename is None and error.errno in FULL and temporaries:  # of a write into an open file
        first, *others = temporaries.values()
        return first.parent if others else first
    return temporaries.get(str(error.filename))


def _check_replaceable(targets: list[Path]) -> None:
    for target in targets:
        if target.is_dir():
            raise IsADirectoryError(f"{target}: a folder; expected a file to write. Move the folder away.")


def check_target(path: str | os.PathLike[str]) -> None:
    """OSError if a file could not be written at ``path``, as far as can be told before there is anything to write."""
    target = Path(path)
    check_folder(target.parent)
    _check_replaceable([target])
    folder = next(place for place in target.absolute().parents if place.is_dir())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))


def check_kept(targets: Iterable[str | os.PathLike[str]], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """ValueError if a file that is read is one of the ``targets``, under whatever name."""
    written = [target for target in map(Path, targets) if target.exists()]
    for path in inputs:
        if Path(path).exists() and any(target.samefile(path) for target in written):
            raise ValueError(f"--output would overwrite {path}, which is read; choose another name.")


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_folder(path: str | os.PathLike[str]) -> None:
    """NotADirectoryError if ``path``, or what it should lie in, is a file; a folder yet to be made is well."""
    for place in (Path(path), *Path(path).parents):
        if place.is_dir():
            return
        if place.exists():
            raise NotADirectoryError(
                f"{place}: not a folder; expected a folder for the results. Name another one or move the file away."
            )


def existing_file(path: str | os.PathLike[str], what: str) -> Path:
    """``path`` as a Path, or a FileNotFoundError that says ``what`` was expected there."""
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; expected {what}.")
    if not file.is_file():
        raise ValueError(f"{file}: not a file; expected {what}.")
    return file
