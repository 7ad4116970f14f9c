"""How every command fails: one line on stderr, exit code 2 for bad input, never a traceback for it."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

EXIT_BAD_INPUT = 2
EXIT_BROKEN_INSTALLATION = 1
EXIT_BUG = 1
EXIT_NO_MEMORY = 1
EXIT_INTERRUPTED = 130  # as shells have it for Ctrl-C, and typer, which says nothing
OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # as PyTorch says it on a GPU and on the CPU
KILLED_WORKER = re.compile(r"DataLoader worker .*(exited unexpectedly|killed by signal: (Killed|Bus error))")
BAD_INPUT = (ValueError, TypeError, OSError)
TRACEBACK = "STN3DMM_TRACEBACK"  # environment variable: set, every failure shows its traceback before its line


class Application(TyperGroup):
    """The command group with this project's error handling."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command; in standalone mode it ends the process with the command's exit code."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except BrokenPipeError:
            # The reader of our output left, as `head` does; Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (typer.Abort, KeyboardInterrupt):
            code = EXIT_INTERRUPTED
        except ImportError as error:
            fail(f"the installation is incomplete ({error}); run 'stn3dmm doctor'", EXIT_BROKEN_INSTALLATION)
        except BAD_INPUT as error:
            fail(message_of(error), EXIT_BAD_INPUT)
        except Exception as error:
            # Usage errors of the command-line library; its exception classes moved between versions of typer.
            if hasattr(error, "format_message"):
                fail(error.format_message(), EXIT_BAD_INPUT)
            if remedy := _lack_of_memory(error):
                fail(remedy, EXIT_NO_MEMORY)
            fail(
                f"this is a bug: {type(error).__name__}: {error}; set {TRACEBACK}=1 to see where, and report it",
                EXIT_BUG,
            )
        if code == EXIT_INTERRUPTED:
            fail("interrupted", EXIT_INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


def _lack_of_memory(error: Exception) -> str:
    """A sentence if it is that; PyTorch has no one exception for it, and is not imported for this."""
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY):
        return "out of memory; lower --batch-size where there is one, or take smaller images or a smaller network."
    if KILLED_WORKER.search(text):
        return (
            "a process that loads data was killed, probably for want of memory or of shared memory (/dev/shm); lower "
            "data.workers or --batch-size."
        )
    return ""


def fail(message: str, code: int) -> Any:
    """Writes one line to stderr and ends the process."""
    complain(message)
    sys.exit(code)


def complain(message: str) -> None:
    """Writes one line to stderr, after the traceback of the exception at hand if the environment asks for it."""
    if os.environ.get(TRACEBACK, "0") not in ("", "0") and sys.exc_info()[0] is not None:
        sys.stderr.write(traceback.format_exc())
    # Not typer.echo, which goes past a progress bar and leaves the line on top of it.
    sys.stderr.write(f"stn3dmm: {' '.join(message.split())}\n")


def message_of(error: Exception) -> str:
    """What an exception says, without the number of an operating system's error."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error) or type(error).__name__
