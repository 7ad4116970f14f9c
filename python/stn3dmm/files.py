"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside ``target`` and renames it to ``target`` when the block succeeds.

    If the block raises, the temporary file is removed and ``target`` stays as it was. The temporary name keeps the
    suffix of the target, because image libraries choose the format by it. Missing parent folders are created.

    Raises:
        OSError: the folder cannot be created or written.
    """
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp creates private files; a result gets the permissions that any other new file would get.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def existing_file(path: str | os.PathLike[str], what: str) -> Path:
    """``path`` as a Path, or a FileNotFoundError that says ``what`` was expected there."""
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; expected {what}.")
    if not file.is_file():
        raise ValueError(f"{file}: not a file; expected {what}.")
    return file
