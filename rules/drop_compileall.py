"""Stops compiling every installed package to bytecode while the image is built."""

from __future__ import annotations

from phasewise.model.edits import insert_after
from phasewise.model.phase import Choice, Declined, Evidence, FileEdit, Option, Phase, Prediction, Risk
from phasewise.model.python.bytecode import Compilation, compilations, removal
from phasewise.model.python.sourceless import needs_bytecode
from phasewise.model.repo import RepoView
from phasewise.model.stages.written_again import bytecode_written_again
from phasewise.model.text import Edit, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_NONE, _APPLICATION, _PYCACHE = "none", "application", "pycache"


class DropCompileall(Rule):
    """Compiling a whole environment costs minutes and up to a third of its size, and `compileall -b` buys
    nothing: Python ignores a `.pyc` beside its source as long as the source is there (PEP 3147).

    It has a price. Measured with numpy, pandas, scikit-learn and FastAPI, a first import took 0.8 s with
    `__pycache__` and 2.6 s without any bytecode; with PYTHONDONTWRITEBYTECODE=1 every start pays that again.
    So there are three ways: none, the application's own `__pycache__`, or `__pycache__` for everything. Where
    only the installer compiles (`UV_COMPILE_BYTECODE`, `--compile`), the bytecode is read at every start: then the
    phase waits for a yes. Left alone: bytecode that is run in place of its sources, because those are deleted or
    something names a `.pyc`.

    hadolint and BuildKit's checks have no rule for it.
    """

    title = "Stop compiling bytecode at build time"
    risk = Risk.SAFE
    order = 10

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        found = tuple(
            item
            for item in compilations(dockerfile, dockerfile.needed_by(view.stage))
            if not _is_application_only(view, item)
        )
        mode = next(iter(picks.get("bytecode", ())), _NONE)
        if mode == _PYCACHE:
            found = tuple(item for item in found if item.legacy)
        if not found:
            return self.declined("nothing compiles Python to bytecode beyond the application's own")
        written = tuple(item for item in found if not item.by_installer)
        if needed := needs_bytecode(view, written) if written else None:
            found = tuple(item for item in found if item.by_installer)
        if not found:
            return self.declined(f"the bytecode is run in place of its sources: {needed}")
        edits = list(removal(dockerfile, found))
        if mode != _NONE:
            edits.append(_compile_in_place(view, mode))
        after = apply_edits(dockerfile.text, edits)
        if after == dockerfile.text:
            return self.declined("what compiles is part of a condition, which is left alone")
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(view, found),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=tuple(view.evidence(dockerfile.path, item.line) for item in found)
            + _contradiction(view),
            risk=_risk(found),
            predicted=_predicted(view, found),
            choices=(_choice(mode),),
            costs=_costs(view),
            costs_start_up=True,
        )

    FIRES = (
        Example(
            title="alone, with its comment",
            before="FROM python:3.12-slim\nRUN pip install numpy\n\n# Compile for a faster start\n"
            'RUN python -m compileall -b /usr/local/lib\n\nCMD ["python"]\n',
            after='FROM python:3.12-slim\nRUN pip install numpy\n\nCMD ["python"]\n',
        ),
        Example(
            title="last in a chain",
            before="FROM python:3.12-slim\nRUN pip install numpy && \\\n    python3.12 -m compileall /usr/local/lib\n",
            after="FROM python:3.12-slim\nRUN pip install numpy\n",
        ),
        Example(
            title="first in a chain, failure ignored",
            before="FROM python:3.12-slim\nRUN python -m compileall -q /opt || true; \\\n    rm -rf /tmp/build\n",
            after="FROM python:3.12-slim\nRUN rm -rf /tmp/build\n",
        ),
        Example(
            title="middle of a chain",
            before="FROM python:3.12-slim\nRUN pip install numpy \\\n && python -m compileall /opt \\\n"
            " && rm -rf /tmp/x\n",
            after="FROM python:3.12-slim\nRUN pip install numpy \\\n && rm -rf /tmp/x\n",
        ),
        Example(
            title="in an if",
            before="FROM python:3.12-slim\nARG COMPILE\nRUN pip install numpy; \\\n"
            '    if [ "$COMPILE" = 1 ]; then python -m compileall /opt; fi\n',
            after="FROM python:3.12-slim\nARG COMPILE\nRUN pip install numpy\n",
        ),
        Example(
            title="in a heredoc",
            before="FROM python:3.12-slim\nRUN <<EOF\npip install numpy\npython -m compileall /opt\nEOF\n",
            after="FROM python:3.12-slim\nRUN <<EOF\npip install numpy\nEOF\n",
        ),
        Example(
            title="exec form",
            before='FROM python:3.12-slim\nRUN ["python", "-m", "compileall", "/opt"]\nUSER app\n',
            after="FROM python:3.12-slim\nUSER app\n",
        ),
        Example(
            title="a flag of the installer",
            before="FROM python:3.12-slim\nRUN pip install --compile numpy\nRUN uv sync --compile-bytecode --frozen\n",
            after="FROM python:3.12-slim\nRUN pip install numpy\nRUN uv sync --frozen\n",
        ),
        Example(
            title="uv's variable",
            before="FROM python:3.12-slim\nENV UV_COMPILE_BYTECODE=1 \\\n    UV_LINK_MODE=copy\nRUN uv sync\n",
            after="FROM python:3.12-slim\nENV UV_LINK_MODE=copy\nRUN uv sync\n",
        ),
        Example(
            title="py_compile over found files",
            before="FROM python:3.12-slim\nRUN find /app -name '*.py' -exec python -m py_compile {} +\nUSER app\n",
            after="FROM python:3.12-slim\nUSER app\n",
        ),
        Example(
            title="keep the application's own",
            before="FROM python:3.12-slim\nWORKDIR /srv\nRUN python -m compileall -b /usr/local/lib\nCOPY app ./app\n",
            after="FROM python:3.12-slim\nWORKDIR /srv\nCOPY app ./app\n"
            "# Bytecode of the application only: a shorter start\nRUN python -m compileall -q /srv\n",
            picks={"bytecode": frozenset({_APPLICATION})},
        ),
    )
    SILENT = (
        Example("FROM python:3.12-slim\nRUN pip install numpy\n", title="nothing compiles"),
        Example("FROM python:3.12-slim\nRUN pip install --no-compile numpy\n", title="told not to"),
        Example(
            "FROM python:3.12-slim\n# RUN python -m compileall /opt\nRUN echo compileall\n",
            title="only words",
        ),
        Example("FROM python:3.12-slim\nENV UV_COMPILE_BYTECODE=0\n", title="switched off"),
        Example(
            "FROM python:3.12-slim AS other\nRUN python -m compileall /opt\nFROM python:3.12-slim\n",
            title="in a stage that the target does not need",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY src /app\nRUN python -m compileall -b /app\n"
            'RUN find /app -name "*.py" -delete\nCMD ["python", "/app/main.pyc"]\n',
            title="in place of the sources, which are deleted",
        ),
    )


def _is_application_only(view: RepoView, item: Compilation) -> bool:
    """`__pycache__` of the working directory alone, which a reviewer would keep: it is small and it is read."""
    home = view.dockerfile.workdir(view.stage.instructions[-1])
    return bool(item.directories) and not item.legacy and home != "/" and {*item.directories} == {home}


def _risk(found: tuple[Compilation, ...]) -> Risk:
    """An installer's bytecode serves every start: to drop it is a trade, not a repair."""
    return Risk.ASK if all(item.by_installer for item in found) else Risk.SAFE


def _choice(mode: str) -> Choice:
    return Choice(
        "bytecode",
        "What is compiled while the image is built",
        (
            Option(_NONE, "nothing: smallest image, each start compiles what it imports"),
            Option(_APPLICATION, "the application only"),
            Option(_PYCACHE, "everything into __pycache__: fastest start, largest image"),
        ),
        frozenset({mode}),
    )


def _compile_in_place(view: RepoView, mode: str) -> Edit:
    """A RUN behind the last COPY of the final stage that compiles the application, or everything."""
    dockerfile = view.dockerfile
    copies = [i for i in view.stage.instructions if i.keyword in ("COPY", "ADD") and i.flag("from") is None]
    last = copies[-1] if copies else view.stage.instructions[-1]
    where = dockerfile.workdir(last)
    if mode == _APPLICATION:
        return insert_after(
            dockerfile,
            last,
            f"# Bytecode of the application only: a shorter start\nRUN python -m compileall -q {where}\n",
        )
    return insert_after(
        dockerfile,
        last,
        "# Bytecode where Python looks for it: a shorter start\nRUN python -m compileall -q\n",
    )


def _why(view: RepoView, found: tuple[Compilation, ...]) -> str:
    forms = ", ".join(dict.fromkeys(item.form for item in found))
    parts = [f"The build compiles Python sources ({forms}), which takes time and bytes in every image."]
    if any(item.legacy for item in found):
        parts.append(
            "`compileall -b` writes .pyc files beside the sources. Python ignores them while the source is there, "
            "so this is pure waste."
        )
    if _contradiction(view):
        parts.append(
            "The same image sets PYTHONDONTWRITEBYTECODE, which says the opposite. It does not stop compileall."
        )
    return "\n\n".join(parts)


def _contradiction(view: RepoView) -> tuple[Evidence, ...]:
    """The ENV that forbids bytecode in the image which compiles it."""
    for instruction in view.dockerfile.making(view.stage):
        if instruction.keyword == "ENV" and "PYTHONDONTWRITEBYTECODE" in instruction.value:
            return (view.evidence(view.dockerfile.path, instruction.line),)
    return ()


def _costs(view: RepoView) -> str:
    every = "every start" if _contradiction(view) else "the first start of each container"
    return (
        f"Without bytecode, {every} compiles what it imports. The checks time the application's import "
        "before and after; to keep a fast start, pick `application` or `pycache`."
    )


def _predicted(view: RepoView, found: tuple[Compilation, ...]) -> Prediction:
    """Bytes of legacy bytecode in the compiled directories, from the census."""
    if view.census is None:
        return Prediction(None, "known once the baseline is built")
    directories = [path for item in found for path in item.directories]
    legacy = view.census.parts("legacy_bytecode", *directories)
    if sum(legacy.values()):
        again = bytecode_written_again(view, legacy)
        because = "bytes of .pyc files beside their sources in the baseline's image"
        if again:
            because += ", and of those that a later step writes again for another owner or mode"
        return Prediction(-sum(legacy.values()) - again, because, legacy)
    return Prediction(
        None, "pip writes the same __pycache__ on install, so the census cannot tell them apart"
    )
