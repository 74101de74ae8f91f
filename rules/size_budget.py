"""Makes CI fail when the image grows above a budget that the repository declares."""

from __future__ import annotations

import json
import re
import tomllib

from phasewise.model.builds.references import build_references
from phasewise.model.builds.step_after import local_tag, with_step_behind
from phasewise.model.builds.workflow import is_workflow
from phasewise.model.builds.yaml_edit import YamlRefusal
from phasewise.model.census import Census
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import BuildReference, RepoView
from phasewise.rules.base import Example, Picks, Rule

_KEY = "size_budget_bytes"
_ROUNDED_TO_BYTES = 1_000_000
_TITLE = "Check the size of the image"

_DOCKERFILE = "FROM python:3.12-slim\nRUN pip install numpy\n"
_CENSUS = Census(image_bytes=300_000_000, layers=(), file_bytes=300_000_000)
_WORKFLOW = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t app:test .
      # the tests
      - run: docker run --rm app:test pytest
"""
_STEP = """\
      - name: Check the size of the image
        run: |
          size=$(docker image inspect --format '{{.Size}}' app:test)
          budget=$(python3 -c 'import sys, tomllib; print(tomllib.load(sys.stdin.buffer)%s["Dockerfile"])' \\
            < "$GITHUB_WORKSPACE/%s")
          echo "$size bytes, of $budget"
          [ "$size" -le "$budget" ]
"""


class SizeBudget(Rule):
    """Images grow back, a little with every change, and nobody sees it. A step in CI compares the image's bytes
    with a budget and fails above it: as numbers (`-le`), since strings put "1000" before "900".

    The budget is what was measured plus 10 %, in `[tool.phasewise.size_budget_bytes]` of pyproject.toml (or
    phasewise.toml), and CI reads it there, so that there is one figure. The step stands behind the step that
    builds the target, where that leaves the image in the runner's engine under a fixed name.

    It changes what CI accepts, so it is off until asked for. hadolint and BuildKit's checks measure nothing.
    """

    title = "Let CI fail above a size"
    risk = Risk.ASK
    order = 90

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        stage, last = view.stage, view.dockerfile.stages[-1].label
        label = view.target.dockerfile + (f":{stage.label}" if view.target.stage else "")
        if view.census is None:
            return self.declined(
                "the image was not measured yet: a budget comes from a figure, not from a guess"
            )
        if not re.fullmatch(r"[\w./:@ +-]+", label):
            return self.declined(f"{label} cannot be written into a script")
        settings = "phasewise.toml"
        if settings not in view.paths and "pyproject.toml" in view.paths:
            settings = "pyproject.toml"
        budget = -(-view.census.image_bytes * 11 // (10 * _ROUNDED_TO_BYTES)) * _ROUNDED_TO_BYTES
        before = view.files.get(settings)
        declared = _with_budget(settings, before or "", label, budget)
        if declared is None:
            return self.declined(f"{settings} has a budget for {label} already, or cannot be read")
        builds = [
            build
            for build in build_references(view.files, view.paths)
            if is_workflow(build.path)
            and build.dockerfile == view.target.dockerfile
            and (build.stage or last) in (stage.name, str(stage.index))
            and not build.matrix
        ]
        if not builds:
            return self.declined("no workflow builds this target in a step of its own")
        for build in builds:
            text = view.files[build.path]
            tag = local_tag(text, build)
            if tag is None:
                continue
            try:
                checked = with_step_behind(text, build, _TITLE, _script(settings, label, tag))
            except YamlRefusal as refusal:
                return self.declined(f"{build.path}: {refusal}")
            edits = (FileEdit(settings, before, declared), FileEdit(build.path, text, checked))
            return self._phase(view, build, edits, budget, settings)
        return self.declined(
            "the workflows that build this target push it, or compute its name: no step can look at it there"
        )

    def _phase(
        self, view: RepoView, build: BuildReference, edits: tuple[FileEdit, ...], budget: int, settings: str
    ) -> Phase:
        return Phase(
            id=self.id,
            title=self.title,
            why=f"Nothing in CI notices when the image grows. The budget is {budget} bytes: what was measured and "
            f"10 % more. It stands in {settings}, and the step behind the build compares it as a number.",
            edits=edits,
            evidence=(view.evidence(build.path, build.line),),
            risk=self.risk,
            predicted=Prediction(0, "the image stays as it is"),
            costs="A change that makes the image larger than that fails in CI until the budget is raised. "
            "The runner needs Python 3.11 or newer to read it.",
        )

    FIRES = (
        Example(
            title="a file of settings is made",
            before=_DOCKERFILE,
            census=_CENSUS,
            files={".github/workflows/ci.yml": _WORKFLOW},
            files_after={
                "phasewise.toml": '[size_budget_bytes]\n"Dockerfile" = 330000000\n',
                ".github/workflows/ci.yml": _WORKFLOW.replace(
                    "      # the tests\n",
                    _STEP % ('["size_budget_bytes"]', "phasewise.toml") + "      # the tests\n",
                ),
            },
        ),
        Example(
            title="the build is the last step; pyproject.toml",
            before=_DOCKERFILE,
            census=_CENSUS,
            files={
                "pyproject.toml": '[tool.phasewise]\nchecks = []\n\n[tool.x]\ny = "z"',
                ".github/workflows/ci.yml": _WORKFLOW.partition("      # the tests")[0],
            },
            files_after={
                "pyproject.toml": '[tool.phasewise]\nchecks = []\n\n[tool.x]\ny = "z"\n\n'
                '[tool.phasewise.size_budget_bytes]\n"Dockerfile" = 330000000\n',
                ".github/workflows/ci.yml": _WORKFLOW.partition("      # the tests")[0]
                + _STEP % ('["tool"]["phasewise"]["size_budget_bytes"]', "pyproject.toml"),
            },
        ),
    )
    SILENT = (
        Example(_DOCKERFILE, files={".github/workflows/ci.yml": _WORKFLOW}, title="not measured"),
        Example(_DOCKERFILE, census=_CENSUS, title="no workflow"),
        Example(
            _DOCKERFILE,
            census=_CENSUS,
            files={
                "phasewise.toml": '[size_budget_bytes]\n"Dockerfile" = 1\n',
                ".github/workflows/ci.yml": _WORKFLOW,
            },
            title="there is a budget",
        ),
        Example(
            _DOCKERFILE,
            census=_CENSUS,
            files={".github/workflows/ci.yml": _WORKFLOW.replace("app:test .", "app:${{ github.sha }} .")},
            title="a computed name",
        ),
    )


def _tables(settings: str) -> tuple[str, ...]:
    return (_KEY,) if settings == "phasewise.toml" else ("tool", "phasewise", _KEY)


def _script(settings: str, label: str, tag: str) -> tuple[str, ...]:
    path = "".join(f'["{name}"]' for name in (*_tables(settings), label))
    read = f"import sys, tomllib; print(tomllib.load(sys.stdin.buffer){path})"
    return (
        f"size=$(docker image inspect --format '{{{{.Size}}}}' {tag})",
        f"budget=$(python3 -c '{read}' \\",
        f'  < "$GITHUB_WORKSPACE/{settings}")',
        'echo "$size bytes, of $budget"',
        '[ "$size" -le "$budget" ]',
    )


def _with_budget(settings: str, text: str, label: str, budget: int) -> str | None:
    """The settings with the budget; None where it is there already, or the file cannot be changed."""
    newline = "\r\n" if "\r\n" in text else "\n"
    header = f"[{'.'.join(_tables(settings))}]"
    line = f"{json.dumps(label)} = {budget}{newline}"
    there = re.search(rf"^{re.escape(header)}[^\n]*\n", text, re.M)
    if there:
        after = text[: there.end()] + line + text[there.end() :]
    else:
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        after = f"{text}{gap}{header}{newline}{line}"
    try:
        table = tomllib.loads(after)
        for name in _tables(settings):
            table = table[name]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None
    return after if table.get(label) == budget else None
