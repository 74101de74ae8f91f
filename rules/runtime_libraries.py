"""Takes compilers, headers, downloaders and editors out of a final stage that copies what others built."""

from __future__ import annotations

from msgspec.structs import replace

from phasewise.model.debian.build_tools import Sorting
from phasewise.model.debian.conveniences import EDITORS
from phasewise.model.debian.final_packages import sort_final_packages, stages_on_top
from phasewise.model.debian.leaving import leaving
from phasewise.model.debian.packages import is_downloader
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk, part
from phasewise.model.python.environments import environment_copies
from phasewise.model.repo import RepoView
from phasewise.model.stages.clean_base import clean_edit, divided_runs, give_tools, without_leftovers
from phasewise.model.text import apply_edits
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule
from phasewise.rules.line_endings import in_unix_lines


class RuntimeLibraries(Rule):
    """A final stage that copies its environment from a builder compiles nothing, so gcc and headers in it only weigh.

    Headers become the library behind them: libpq-dev becomes libpq5, without which a psycopg2 that was built from
    source fails at its first import (`libpq.so.5: cannot open shared object file`); nothing where the measured image
    shows that only wheels with a library of their own are in use. Certificates and libraries that came along with the
    tools and that something loads are named. curl, wget, git and editors go where nothing calls them.

    A tool stays when a start command, health check, script, compose file, manifest or the code calls it, or may: a
    script that is not in the repository, a package that calls git, code that starts processes and holds the word.
    Where the final stage installs Python packages itself, or the service is started with an installer, all tools stay.
    Stages that build on one that loses packages get them themselves; editors, only those that the image does not need.
    What somebody types into a running container by hand cannot be seen: that is the price.

    hadolint and BuildKit's own checks have no rule for it.
    """

    title = "Ship libraries, not tools"
    risk = Risk.CHECK
    order = 26

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        return in_unix_lines(view, self._propose)

    def _propose(self, view: RepoView) -> Phase | Declined:
        if not environment_copies(view.dockerfile, view.stage):
            return self.declined("the final image copies no environment from a stage that builds it")
        sorting, reason = sort_final_packages(view)
        if not sorting.moved:
            return self.declined(reason or _why_not(sorting))
        text = _without_tools(view, sorting)
        if text is None:
            line = sorting.commands[0].instruction.line
            return self.declined(f"the RUN in line {line} cannot be taken apart")
        dockerfile = view.dockerfile
        lines = [
            dockerfile.line_of(word.span.start)
            for apt in sorting.commands
            for word, name in zip(apt.packages, apt.names, strict=True)
            if name in sorting.moved
        ]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(sorting, reason),
            edits=(FileEdit(dockerfile.path, dockerfile.text, text),),
            evidence=tuple(view.evidence(dockerfile.path, line) for line in dict.fromkeys(lines)),
            risk=self.risk,
            predicted=_predicted(view, sorting),
            costs=_costs(sorting),
        )

    FIRES = (
        Example(
            title="beside a builder",
            before="FROM python:3.12-slim AS builder\nRUN apt-get update && apt-get install -y gcc libpq-dev\n"
            "RUN python -m venv /opt/venv && /opt/venv/bin/pip install psycopg2\n\nFROM python:3.12-slim\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends \\\n"
            "    # to compile\n    gcc libpq-dev \\\n"
            "    # health check\n    curl \\\n    git vim \\\n    && rm -rf /var/lib/apt/lists/*\n"
            "COPY --from=builder /opt/venv /opt/venv\nHEALTHCHECK CMD curl -f http://localhost/\n"
            'CMD ["/opt/venv/bin/python", "-m", "app"]\n',
            after="FROM python:3.12-slim AS builder\nRUN apt-get update && apt-get install -y gcc libpq-dev\n"
            "RUN python -m venv /opt/venv && /opt/venv/bin/pip install psycopg2\n\nFROM python:3.12-slim\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends \\\n    libpq5 \\\n"
            "    # health check\n    curl \\\n    && rm -rf /var/lib/apt/lists/*\n"
            "COPY --from=builder /opt/venv /opt/venv\nHEALTHCHECK CMD curl -f http://localhost/\n"
            'CMD ["/opt/venv/bin/python", "-m", "app"]\n',
            files={"requirements.txt": "psycopg2==2.9.11\n"},
        ),
        Example(
            title="nothing but conveniences, in a base that the builder shares",
            before="FROM python:3.12-slim AS base\nRUN apt-get update && apt-get install -y git nano\n\n"
            "FROM base AS builder\nRUN python -m venv /opt/venv\nRUN /opt/venv/bin/pip install git+https://x.org/y\n\n"
            'FROM base\nCOPY --from=builder /opt/venv /opt/venv\nCMD ["/opt/venv/bin/python", "-m", "y"]\n',
            after="FROM python:3.12-slim AS base\n\nFROM base AS builder\n\n# The final image does without these.\n"
            "RUN apt-get update && apt-get install -y git\n\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install git+https://x.org/y\n\n"
            'FROM base\nCOPY --from=builder /opt/venv /opt/venv\nCMD ["/opt/venv/bin/python", "-m", "y"]\n',
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n"
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y libpq5 tini\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            title="libraries only",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n"
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y git\n"
            'COPY --from=builder /opt/venv /opt/venv\nCOPY . .\nCMD ["/opt/venv/bin/python", "main.py"]\n',
            title="code that calls git in a way of its own",
            files={"main.py": "import subprocess\n\nTOOL = 'git'\nsubprocess.run([TOOL, 'pull'])\n"},
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n"
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y gcc\n"
            "COPY --from=builder /opt/venv /opt/venv\nRUN /opt/venv/bin/pip install more\n",
            title="packages that the final stage installs itself",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install x\n"
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl\n"
            'COPY --from=builder /opt/venv /opt/venv\nENTRYPOINT ["/docker-entrypoint.sh"]\n',
            title="a script that is not in the repository",
        ),
    )


def _without_tools(view: RepoView, sorting: Sorting) -> str | None:
    """The text without the packages in the final image; None where a RUN cannot be taken apart."""
    dockerfile = view.dockerfile
    divided = divided_runs(dockerfile, dockerfile.lineage(view.stage), sorting)
    if {found.instruction.span for found in divided} != {apt.instruction.span for apt in sorting.commands}:
        return None
    losing = {found.instruction.stage for found in divided}
    heirs = [heir for heir in stages_on_top(view) if heir in dockerfile.built_on(losing)]
    if heirs and len(losing) > 1:
        return None
    edits = [clean_edit(dockerfile, found) for found in divided]
    builders = [heir for heir in heirs if heir.index in dockerfile.needed_by(view.stage)]
    working = replace(sorting, moved=tuple(name for name in sorting.moved if name not in EDITORS))
    for group, wanted in (
        (builders, divided_runs(dockerfile, dockerfile.lineage(view.stage), working)),
        ([heir for heir in heirs if heir not in builders], divided),
    ):
        if wanted:
            edits += give_tools(dockerfile, group, [found.tools for found in wanted])
    apart = Dockerfile.parse(apply_edits(dockerfile.text, edits), dockerfile.path)
    return without_leftovers(apart, apart.stage(view.target.stage), sorting)


def _why_not(sorting: Sorting) -> str:
    for package, use in sorting.used.items():
        return f"{package} stays: {use.place} calls it, or may"
    if sorting.unsure:
        return f"which library {sorting.unsure[0]} stands for on this image is not known"
    return "the final image installs no tools beside the libraries that it needs"


def _why(sorting: Sorting, reason: str) -> str:
    parts = [
        f"Nothing that runs in the image calls {listed(sorting.moved)}: what it runs comes from another stage."
    ]
    replaced = [
        f"{listed(libraries)} for {name}" for name, libraries in sorting.libraries.items() if libraries
    ]
    if replaced:
        parts.append(f"What was built still loads libraries, which are named now: {'; '.join(replaced)}.")
    kept = [f"{name} ({use.place} calls it, or may)" for name, use in sorting.used.items()]
    kept += [f"{name} (its library is not known)" for name in sorting.unsure]
    if kept:
        parts.append(f"These stay: {'; '.join(kept)}.")
    if reason:
        parts.append(f"Tools that a build needs stay, since {reason}.")
    return "\n\n".join(parts)


def _costs(sorting: Sorting) -> str:
    gone = [name for name in sorting.moved if is_downloader(name) or name in EDITORS]
    return f"{listed(gone)}: no longer at hand in a running container" if gone else ""


def _predicted(view: RepoView, sorting: Sorting) -> Prediction:
    """The packages that leave, and those that only they need."""
    if view.census is None:
        return Prediction(None, "known once the baseline is built")
    installed = view.census.apt_packages
    gone = leaving(view.census, sorting.moved, sorting.stays)
    if not gone:
        return Prediction(None, "the baseline's image has none of the packages")
    count = f"{len(gone)} Debian package{'s' * (len(gone) > 1)}"
    return Prediction.of(
        {part("debian", name): installed[name] for name in gone}, f"{count}, in the baseline's image"
    )
