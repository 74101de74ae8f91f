"""Separates what builds from what runs: compilers go to a builder, the runtime inherits a clean base."""

from __future__ import annotations

from phasewise.model.debian.apt import installed_and_gone
from phasewise.model.debian.build_tools import Sorting, sort_packages, tool_commands
from phasewise.model.debian.packages import is_build_tool
from phasewise.model.dockerfile import Dockerfile, Instruction
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.python.environments import environment_copies, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.clean_base import (
    clean_base,
    clean_below,
    heirs_of_tools,
    installer_runs,
    relocatable_runs,
    relocate,
    without_leftovers,
)
from phasewise.model.stages.ownership import hand_over
from phasewise.model.stages.roles import (
    CannotSplit,
    build_runs,
    builds_in_place,
    copies_tools,
    installing_stage,
    started_by,
)
from phasewise.model.stages.split import split_stage, tending_runs
from phasewise.model.stages.split_report import Split, costs, evidence_lines, predicted, why
from phasewise.rules.base import Example, Picks, Rule
from phasewise.rules.line_endings import in_unix_lines

_PSYCOPG2 = {"requirements.txt": "psycopg2==2.9.11\n"}


class SplitBaseBuilder(Rule):
    """An image that ships its compilers carries hundreds of megabytes that nothing calls.

    Build tools and headers move to a builder, and the library behind the headers stays. Python's packages are
    copied as one environment, at one path, because scripts carry the path in their first line. They are
    copied as their owner: `RUN chown -R` in a later layer writes every file a second time, which was 5.84 of
    the 11.89 GB of one measured image.

    Docker's documentation calls it a multi-stage build. hadolint and BuildKit's checks look at single instructions
    and have no rule for it. A step that installs packages becomes two, one in the builder and one in the runtime, in
    its author's words; so linters say twice what they said once: DL3008, tally/sort-packages,
    tally/prefer-package-cache-mounts, tally/prefer-run-heredoc. Blank lines stay as they were around what moves
    (tally/newline-between-instructions).
    """

    title = "Split base and builder"
    risk = Risk.CHECK
    order = 20

    FIRES = (
        Example(
            title="one stage",
            before=r"""FROM python:3.12-slim

# psycopg2 is compiled against Debian's libpq.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY app/ app/

EXPOSE 8000
CMD ["uvicorn", "app.main:app"]
""",
            after=r"""FROM python:3.12-slim AS base

RUN apt-get update \
    && apt-get install -y --no-install-recommends libpq5 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app

ENV PATH="/opt/venv/bin:$PATH"

FROM base AS builder

# psycopg2 is compiled against Debian's libpq.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev \
    && rm -rf /var/lib/apt/lists/*

RUN python -m venv /opt/venv

COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

FROM base AS runtime

COPY --from=builder /opt/venv /opt/venv

COPY app/ app/

EXPOSE 8000
CMD ["uvicorn", "app.main:app"]
""",
            files=_PSYCOPG2,
        ),
        Example(
            title="a base with compilers that the runtime inherits, and a copied environment that changes hands",
            before=r"""FROM python:3.12-slim AS base

# Compilers for packages without a wheel.
# curl: health check
RUN apt-get update && apt-get install -y --no-install-recommends \
    # build
    build-essential \
    git \
    libpq-dev \
    # run
    curl \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app

FROM base AS dependencies
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt .
RUN pip install -r requirements.txt

FROM base AS runtime
ENV PATH="/opt/venv/bin:$PATH"
COPY --from=dependencies /opt/venv /opt/venv
RUN find /opt/venv -name "*.so" -exec strip --strip-unneeded {} + || true
COPY app/ app/
RUN useradd --uid 10001 tide \
    && mkdir -p uploads \
    && chown -R tide:tide /opt/venv /app
USER tide
HEALTHCHECK CMD curl --fail http://127.0.0.1:8000/health
CMD ["uvicorn", "app.main:app"]
""",
            after=r"""FROM python:3.12-slim AS base

# curl: health check
RUN apt-get update && apt-get install -y --no-install-recommends \
    libpq5 \
    # run
    curl \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app

FROM base AS dependencies

# Compilers for packages without a wheel.
RUN apt-get update && apt-get install -y --no-install-recommends \
    # build
    build-essential \
    git \
    libpq-dev \
    && rm -rf /var/lib/apt/lists/*

RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
COPY requirements.txt .
RUN pip install -r requirements.txt

RUN find /opt/venv -name "*.so" -exec strip --strip-unneeded {} + || true

FROM base AS runtime
ENV PATH="/opt/venv/bin:$PATH"

RUN useradd --uid 10001 tide \
    && mkdir -p uploads \
    && chown tide:tide /app /app/uploads

COPY --from=dependencies --chown=tide:tide /opt/venv /opt/venv
COPY --chown=tide:tide app/ app/
USER tide
HEALTHCHECK CMD curl --fail http://127.0.0.1:8000/health
CMD ["uvicorn", "app.main:app"]
""",
            files=_PSYCOPG2,
        ),
        Example(
            title="other stages keep their compilers",
            before=r"""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc libffi-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# ---- with reload ----
FROM base AS development
COPY requirements*.txt ./
RUN pip install -r requirements-dev.txt

# ---- installs once ----
FROM base AS builder
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install -r requirements.txt

FROM base AS production
COPY --from=builder /venv /venv
COPY . .
CMD ["/venv/bin/gunicorn", "app:app"]
""",
            after=r"""FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y libffi8 && rm -rf /var/lib/apt/lists/*
WORKDIR /app

FROM base AS build-base

# Only the build needs these.
RUN apt-get update && apt-get install -y gcc libffi-dev && rm -rf /var/lib/apt/lists/*

# ---- with reload ----
FROM build-base AS development
COPY requirements*.txt ./
RUN pip install -r requirements-dev.txt

# ---- installs once ----
FROM build-base AS builder
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install -r requirements.txt

FROM base AS production
COPY --from=builder /venv /venv
COPY . .
CMD ["/venv/bin/gunicorn", "app:app"]
""",
            files={"requirements.txt": "cffi==2.0.0\n"},
        ),
        Example(
            title="only the owner of what is copied",
            before=r"""FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv && /opt/venv/bin/pip install uvicorn

FROM python:3.12-slim
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY . .
RUN useradd -m app && \
    chown -R app:app /app /opt/venv && \
    chmod -R 755 /opt/venv
USER app
CMD ["/opt/venv/bin/uvicorn", "main:app"]
""",
            after=r"""FROM python:3.12-slim AS builder
RUN python -m venv /opt/venv && /opt/venv/bin/pip install uvicorn

FROM python:3.12-slim
WORKDIR /app

RUN useradd -m app && \
    chown app:app /app

COPY --from=builder --chown=app:app --chmod=755 /opt/venv /opt/venv
COPY --chown=app:app . .
USER app
CMD ["/opt/venv/bin/uvicorn", "main:app"]
""",
        ),
    )
    SILENT = (
        Example(
            title="clean already",
            before=r"""FROM python:3.12-slim AS builder
RUN apt-get update && apt-get install -y gcc libpq-dev
RUN python -m venv /opt/venv && /opt/venv/bin/pip install psycopg2

FROM python:3.12-slim
RUN apt-get update && apt-get install -y curl libpq5
COPY --from=builder --chown=1000:1000 /opt/venv /opt/venv
HEALTHCHECK CMD curl -f http://localhost/
CMD ["/opt/venv/bin/python", "-m", "app"]
""",
        ),
        Example(
            title="removed in the layer that installs",
            before=r"""FROM python:3.12-slim
COPY requirements.txt .
RUN apt-get update && apt-get install -y gcc \
    && pip install -r requirements.txt \
    && apt-get purge -y --auto-remove gcc
CMD ["python", "-m", "app"]
""",
        ),
        Example(
            title="Alpine",
            before=r"""FROM python:3.12-alpine
RUN apk add --no-cache gcc musl-dev
RUN pip install psycopg2
""",
        ),
        Example(
            title="the base image carries compilers of its own",
            before=r"""FROM python:3.12
RUN apt-get update && apt-get install -y gcc
RUN pip install psycopg2
""",
        ),
        Example(
            title="a compiler that the code calls",
            before=r"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y g++
COPY . .
RUN pip install -r requirements.txt
CMD ["python", "main.py"]
""",
            files={
                "requirements.txt": "psycopg2==2.9.11\n",
                "main.py": "import torch\n\nmodel = torch.compile(torch.nn.Linear(2, 2))\n",
            },
        ),
        Example(
            title="a library that is built by hand",
            before=r"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y build-essential wget
RUN wget -qO- https://example.org/ta-lib.tar.gz | tar xz && cd ta-lib && ./configure && make install
RUN pip install TA-Lib
CMD ["python", "main.py"]
""",
        ),
        Example(
            title="installed as another user",
            before=r"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc && useradd -m app
USER app
RUN pip install --user psycopg2
CMD ["python", "-m", "app"]
""",
        ),
        Example(
            title="headers whose library is not known",
            before=r"""FROM python:3.12-slim
RUN apt-get update && apt-get install -y libunheard-of-dev
RUN pip install psycopg2
CMD ["python", "-m", "app"]
""",
        ),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        return in_unix_lines(view, self._propose)

    def _propose(self, view: RepoView) -> Phase | Declined:
        sorting = _sorting(view)
        if nothing := _nothing_to_do(view, sorting):
            handover = hand_over(view.dockerfile, view.stage)
            if handover is None or not handover.from_stages:
                return self.declined(nothing)
            return self._phase(view, Split(handover.text, sorting, handover))
        try:
            text = _split(view, sorting)
        except CannotSplit as reason:
            return self.declined(f"what only the build needs cannot be separated from what runs: {reason}")
        apart = Dockerfile.parse(text, view.target.dockerfile)
        text = without_leftovers(apart, apart.stage(view.target.stage), sorting)
        apart = Dockerfile.parse(text, view.target.dockerfile)
        text = relocate(apart, apart.stage(view.target.stage), sorting.lost_commands)
        after = Dockerfile.parse(text, view.target.dockerfile)
        handover = hand_over(after, after.stage(view.target.stage))
        return self._phase(view, Split(handover.text if handover else text, sorting, handover))

    def _phase(self, view: RepoView, split: Split) -> Phase:
        path = view.target.dockerfile
        moved = split.sorting.worthwhile
        return Phase(
            id=self.id,
            title=self.title if moved else "Copy files as their owner",
            why=why(view, split),
            edits=(FileEdit(path, view.files[path], split.text),),
            evidence=tuple(view.evidence(path, line) for line in evidence_lines(view, split)),
            risk=self.risk,
            predicted=predicted(view, split),
            costs=costs(view, split) if moved else "",
        )


def _sorting(view: RepoView) -> Sorting:
    """The packages of the lineage, as they stand once everything that builds has left it."""
    dockerfile, stage = view.dockerfile, view.stage
    lost = tool_commands(view)
    leaving: list[Instruction] = [found.instruction for found in relocatable_runs(dockerfile, stage, lost)]
    leaving += installer_runs(dockerfile, dockerfile.lineage(stage))
    if not environment_copies(dockerfile, stage):
        leaving += build_runs(dockerfile, stage)
        for ancestor in dockerfile.lineage(stage):
            leaving += tending_runs(view, ancestor)
    return sort_packages(view, leaving)


def _nothing_to_do(view: RepoView, sorting: Sorting) -> str:
    """Why the packages give no reason for a split; empty when they do."""
    image = view.dockerfile.base_image(view.stage, as_written=True)
    name, _, tag = image.partition(":")
    if image == "scratch" or "distroless" in image:
        return f"{image} has no package manager, and nothing to build with"
    if "alpine" in image:
        return f"{image} is Alpine's: its packages and libraries have names of their own, which are not known here"
    if "windows" in image or "nanoserver" in image:
        return f"{image} is a Windows image"
    if sorting.worthwhile:
        if name.rpartition("/")[2] == "python" and "slim" not in tag:
            return f"{image} carries compilers of its own; with a slim tag a split would save something"
        return _apart_already(view, sorting)
    tools = [package for package in sorting.used if is_build_tool(package)]
    if tools:
        use = sorting.used[tools[0]]
        line = view.line(use.path, use.line).strip()
        return f"{tools[0]} stays, because {use.place} calls it: {line}"
    if sorting.unsure:
        return f"which library {sorting.unsure[0]} stands for on {image} is not known"
    for instruction in view.dockerfile.making(view.stage):
        script = Script.of(view.dockerfile, instruction)
        if script and (gone := sorted(filter(is_build_tool, installed_and_gone(script)))):
            return f"{gone[0]} is removed in the layer that installs it (line {instruction.line}): it costs nothing"
        if script is None and instruction.keyword == "RUN" and "apt" in instruction.value:
            return f"the RUN in line {instruction.line} is no shell script that can be read"
    return "no stage that the image inherits installs a compiler or headers"


def _apart_already(view: RepoView, sorting: Sorting) -> str:
    """Why there is nothing to split where what is built comes from another stage, and nothing else needs the tools."""
    dockerfile, stage = view.dockerfile, view.stage
    if not environment_copies(dockerfile, stage) or heirs_of_tools(dockerfile, stage, 0):
        return ""
    if relocatable_runs(dockerfile, stage, sorting.lost_commands) or installs(dockerfile, stage):
        return ""
    return (
        f"builder and runtime are apart already; {sorting.moved[0]} in the runtime is for runtime_libraries"
    )


def _split(view: RepoView, sorting: Sorting) -> str:
    """The text with builder and runtime apart. Raises CannotSplit."""
    dockerfile, stage = view.dockerfile, view.stage
    if (run := builds_in_place(dockerfile, stage)) is not None:
        raise CannotSplit("it compiles into the application's own directory", run.line)
    installing = None if environment_copies(dockerfile, stage) else installing_stage(dockerfile, stage)
    use = started_by(view)
    if use and installing and not copies_tools(installing):
        raise CannotSplit(f"{use.command} installs packages, and {use.place} calls it")
    if installing is None:
        text = clean_base(dockerfile, stage, sorting, started=use is not None)
        if text is None:
            raise CannotSplit(
                "a RUN that installs tools does other things too", sorting.commands[0].instruction.line
            )
        if not heirs_of_tools(dockerfile, stage, 0) and not environment_copies(dockerfile, stage):
            raise CannotSplit("nothing is built with what would move", sorting.commands[0].instruction.line)
        return text
    text, inherited = clean_below(dockerfile, installing, sorting)
    path = view.target.dockerfile
    below = view.with_edits([FileEdit(path, view.files[path], text)])
    number = len(below.dockerfile.stages) - len(dockerfile.stages) + installing.index
    return split_stage(below, below.dockerfile.stages[number], _sorting(below), inherited)
