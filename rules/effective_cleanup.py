"""Moves clean-up to where it has an effect: into the step that wrote the files, at the path where they are."""

from __future__ import annotations

from phasewise.model.cleaning.ineffective import ineffective
from phasewise.model.cleaning.move import Move
from phasewise.model.layers import layer_bytes
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.bytecode import compiles_beside_sources
from phasewise.model.repo import RepoView
from phasewise.model.stages.measured_packages import measured_places
from phasewise.model.text import apply_edits
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule


class EffectiveCleanup(Rule):
    """An image never gets smaller by a later layer: what is deleted there is only hidden. Clean-up counts in the RUN
    that wrote the files, or in the stage that they are copied from. And it must look where they are: a measured image
    of 11.89 GB cleaned /usr/local while its packages were in /opt/venv, which removed 0 bytes.

    Two traps are repaired on the way. `find -type d -name tests -o -name test | xargs rm -rf` means (a directory
    called tests) or (anything called test). `rm -rf {pip,setuptools,wheel}*` does nothing in sh, which knows no
    braces, and in bash takes pip_audit and every dist-info that begins alike; `pip uninstall` removes just what the
    three recorded. `*.dist-info` is never deleted: entry points and importlib.metadata read it.

    Left alone: clean-up of what COPY brought from the build context (a .dockerignore keeps that out), of directories
    that a cache mount covers, and of lists that a later step still needs. hadolint's DL3009 is the same for apt's
    lists; BuildKit's checks have no rule for it. Blank lines stay as they were around what moves
    (tally/newline-between-instructions).
    """

    title = "Clean up where it counts"
    risk = Risk.CHECK
    order = 30

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        found = list(ineffective(view))
        moves = [move for move in found if not move.reason]
        if not moves:
            reason = "; ".join(move.reason for move in found)
            return self.declined(reason or "no clean-up stands in a later layer or looks where nothing is")
        after = apply_edits(dockerfile.text, [edit for move in moves for edit in move.edits])
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(view, moves),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(view.evidence(dockerfile.path, move.instruction.line) for move in moves),
            risk=self.risk,
            predicted=_predicted(view, moves),
            costs=_costs(moves),
            costs_start_up=_names(moves, "__pycache__", ".pyc"),
        )

    FIRES = (
        Example(
            title="at a path where nothing is, in a layer behind the copy",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n\n"
            "# Dead weight\nRUN find /usr/local -depth \\\n    \\( -type d \\( -name test -o -name tests \\) \\) \\\n"
            "    -exec rm -rf '{}' + || true\n\nCOPY . .\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\n# Dead weight\nRUN find /opt/venv -depth \\\n"
            "    \\( -type d \\( -name test -o -name tests \\) \\) \\\n    -exec rm -rf '{}' + || true\n\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n\nCOPY . .\n",
        ),
        Example(
            title="in a later layer than the install",
            before="FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
            "RUN find /usr/local -type d -name tests -exec rm -rf {} + 2>/dev/null || true\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt && \\\n"
            "    { find /usr/local -type d -name tests -exec rm -rf {} + 2>/dev/null || true; }\n",
        ),
        Example(
            title="tests that bind otherwise than they read, and braces that sh does not know",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d -name tests -o -name test | xargs rm -rf && \\\n"
            "    rm -rf /opt/venv/lib/python*/site-packages/{pip,setuptools,wheel}*\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d \\( -name tests -o -name test \\) -prune -exec rm -rf {} + && \\\n"
            "    /opt/venv/bin/python -m pip uninstall -y setuptools wheel pip\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="apt's lists and pip's cache, in a heredoc too",
            before="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\napt-get install -y libpq5\nEOF\n"
            "RUN pip install numpy\nRUN rm -rf /var/lib/apt/lists/*\nRUN rm -rf /root/.cache/pip\n",
            after="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\napt-get install -y libpq5\n"
            "rm -rf /var/lib/apt/lists/*\nEOF\nRUN pip install numpy && \\\n    rm -rf /root/.cache/pip\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN pip install numpy && find /usr/local -name tests -exec rm -rf {} +\n",
            title="in the layer that wrote them",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n"
            "RUN find /opt/venv -type d -name tests -exec rm -rf {} +\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            title="in the stage that is copied from: its layers do not count",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . /srv\nRUN rm -rf /srv/tests\n",
            title="what the build context brought",
        ),
        Example(
            "FROM python:3.12-slim\nRUN apt-get update\nRUN apt-get install -y libpq5\n"
            "RUN rm -rf /var/lib/apt/lists/*\n",
            title="lists that a later step needs",
        ),
        Example(
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache pip install numpy\n"
            "RUN rm -rf /root/.cache/pip\n",
            title="under a cache mount",
        ),
    )


def _names(moves: list[Move], *names: str) -> bool:
    """Whether clean-up that begins to count deletes one of `names`."""
    return any(
        move.saves and word.strip("*") in names
        for move in moves
        for each in move.found
        for word in each.words
    )


def _costs(moves: list[Move]) -> str:
    told = []
    if _names(moves, "test", "tests"):
        told.append("Packages that import their own tests would fail; the checks import them all.")
    if _names(moves, "__pycache__", ".pyc"):
        told.append(
            "Without bytecode, a start compiles what it imports: the checks time it before and after."
        )
    return " ".join(told)


def _why(view: RepoView, moves: list[Move]) -> str:
    parts = [move.why for move in moves]
    lineage = {stage.index for stage in view.dockerfile.lineage(view.stage)}
    late = [move for move in moves if move.instruction.stage in lineage]
    sizes = [layer_bytes(view.census, move.instruction) for move in late]
    if late:
        known = [found for found in sizes if found is not None]
        layer = f", and its own layer is {size(sum(known))}" if known else ""
        parts.append(f"As it is, it removes 0 B from the image: a later layer only hides files{layer}.")
    return "\n\n".join(parts)


def _predicted(view: RepoView, moves: list[Move]) -> Prediction:
    """What the census has found of the kinds that the clean-up names, where the packages are."""
    census = view.census
    if census is None:
        return Prediction(None, "known once the baseline is built")
    parts: dict[str, int] = {}
    for move in moves:
        if not move.saves:
            continue
        words = {word.strip("*") for each in move.found for word in each.words}
        for kind in _kinds(words, compiles_beside_sources(view.dockerfile, view.stage)):
            parts |= census.parts(kind, *(measured_places(view, move.path) or (move.path,)))
    if not sum(parts.values()):
        return Prediction(None, "the census does not count what is cleaned")
    return Prediction.of(
        parts, "bytes of what the clean-up names, where the packages are in the baseline's image"
    )


def _kinds(words: set[str], compiles: bool) -> set[str]:
    """What the census counts of that which is cleaned; bytecode of tests once, and none that is not made."""
    kinds = {"static_library"} if ".a" in words else set()
    if words & {"test", "tests"}:
        kinds |= {"test", "test_bytecode"} | ({"test_legacy_bytecode"} if compiles else set())
    if words & {"__pycache__", ".pyc"}:
        kinds = (kinds - {"test_bytecode"}) | {"bytecode"}
    if ".pyc" in words:
        kinds = (kinds - {"test_legacy_bytecode"}) | {"legacy_bytecode"}
    return kinds
