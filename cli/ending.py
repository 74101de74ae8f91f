"""How a call ends: errors become one sentence and an exit status."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from phasewise.cli import output
from phasewise.migration.errors import PhasewiseError


class VerbOrRepository(click.Group):
    """A group whose first word is a verb, or else the repository that the terminal UI opens on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `tui` before arguments that do not begin with a verb."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "--version", "-h")):
            args = ["tui", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb. click itself ends with 1 when the reader is gone, which here says that a phase failed."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise click.exceptions.Exit(without_reader()) from None


def run(command: click.Command) -> int:
    """Runs the command line that this process was called with; the exit status."""
    try:
        answer = command(standalone_mode=False)
        return answer if isinstance(answer, int) else 0
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else 0
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.exceptions.Abort:
        output.narrate("stopped")
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except PhasewiseError as error:
        output.narrate(f"phasewise: {error.message}")
        if error.hint:
            output.narrate(f"  {error.hint}")
        return error.exit_status


def without_reader() -> int:
    """The status of a program whose reader is gone (`| head`); nothing more is written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return 141
