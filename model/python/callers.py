"""Python packages that call a command of the system while they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_COMPILE_MODELS = ("cmdstanpy", "pystan", "httpstan", "brian2")

CALLED_BY: Mapping[str, tuple[str, ...]] = {
    "curl": ("archivebox", "reflex", "ultralytics"),
    "gcc": ("vllm", "deepspeed", "triton", "torchdynamo", "cppimport", "sglang", "unsloth", *_COMPILE_MODELS),
    "g++": ("pytensor", "pymc", "theano", "aesara", "theano-pymc", *_COMPILE_MODELS),
    "git": (
        *("archivebox", "gitpython", "dvc", "pre-commit", "dbt-core", "prefect", "copier", "cookiecutter"),
        *("jupyterlab-git", "nbdime"),
    ),
    "make": ("cmdstanpy",),
    "wget": ("archivebox", "prior"),
}
"""Normalised names of distributions by the command that they call.

Sources: reflex fetches bun with a script that calls curl when the service starts (reflex issues 3630 and 3703, "curl:
command not found"); ultralytics downloads weights again with it where the first try fails (its pull request 20426);
archivebox saves pages with curl, wget and git (its issue 177); prior fetches git-lfs with wget (its issue 37).
"""


def calling(commands: Iterable[str]) -> tuple[str, ...]:
    """The distributions that call any of `commands`."""
    return tuple(name for command in commands for name in CALLED_BY.get(command, ()))
