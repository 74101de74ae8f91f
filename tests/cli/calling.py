"""Calls the command line in this process, and hands back what a shell would see."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from phasewise.cli.main import main


class Called(Struct, frozen=True):
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.stdout)


Phasewise = Callable[..., Called]


def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Phasewise:
    def phasewise(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["phasewise", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Called(ended.value.code, said.out, said.err)

    return phasewise
