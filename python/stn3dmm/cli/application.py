"""How every command fails: one line on stderr, exit code 2 for bad input, never a traceback for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

EXIT_BAD_INPUT = 2
EXIT_BROKEN_INSTALLATION = 1


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
            fail("interrupted", 130)
        except ImportError as error:
            fail(f"the installation is incomplete ({error}); run 'stn3dmm doctor'", EXIT_BROKEN_INSTALLATION)
        except (ValueError, TypeError, OSError) as error:
            fail(_message(error), EXIT_BAD_INPUT)
        except Exception as error:
            # Usage errors of the command-line library; its exception classes moved between versions of typer.
            if not hasattr(error, "format_message"):
                raise
            fail(error.format_message(), EXIT_BAD_INPUT)
        sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int) -> Any:
    """Writes one line to stderr and ends the process."""
    typer.echo(f"stn3dmm: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error) or type(error).__name__
