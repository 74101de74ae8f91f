"""Installs PyTorch's CPU builds, for images that never see a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.against_cpu import against_cpu_builds
from phasewise.model.python.cpu_install import edits, first_ones, why_not
from phasewise.model.python.cuda_lists import lists_without_cuda
from phasewise.model.python.installs import installs
from phasewise.model.python.project_torch import how_to_lock, locked_version, with_cpu_source
from phasewise.model.python.projects import Project, lock_of, projects
from phasewise.model.python.requirements import Listed, RequirementsError
from phasewise.model.python.torch_builds import (
    CPU_INDEX,
    FAMILY,
    Bringing,
    TorchUnclear,
    bringing,
    for_gpus_only,
    reached,
    versions,
)
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.model.units import size
from phasewise.rules.base import Example, Picks, Rule

_DOCKERFILE = """\
FROM python:3.11-slim
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py .
CMD ["python", "app.py"]
"""
_COMMENT = "# PyTorch's CPU builds come first: what asks for it afterwards finds it installed and keeps it.\n"
_CENSUS = Census(
    image_bytes=6_000_000_000,
    layers=(),
    file_bytes=6_000_000_000,
    distributions=(
        Distribution("sentence-transformers", "3.0.1", "/s", 1_000_000, requires=("torch", "transformers")),
        Distribution("transformers", "4.41.2", "/s", 60_000_000),
        Distribution("torch", "2.3.1", "/s", 1_700_000_000, requires=("nvidia-cudnn-cu12", "triton")),
        Distribution("nvidia-cudnn-cu12", "8.9.2.26", "/s", 1_000_000_000),
        Distribution("triton", "2.3.1", "/s", 400_000_000),
    ),
)


class CpuWheels(Rule):
    """From the package index, `torch` comes as its CUDA build and brings libraries for NVIDIA's GPUs: in a project that
    was studied, 3.2 GB of nvidia packages, 1.0 GB of triton and a larger torch, of an environment of 5.8 GB, on
    machines without a GPU. With the CPU builds the same environment is about 1.5 GB.

    The CPU build is installed first, alone (`--no-deps`), from PyTorch's own index and in the version that is pinned
    or installed today. Later commands find it and keep it: `2.3.1+cpu` satisfies `torch==2.3.1` and `torch>=2`. That
    is why it also holds when torch is never named and comes with `sentence-transformers` or `ultralytics`. An
    `--extra-index-url` beside an open requirement does not hold: pip takes the newest version of both indexes,
    and uv may take other packages from PyTorch's index. Requirements stay as they are, for developers who have a
    GPU or a Mac, but for frozen lines of nvidia packages and triton.

    A uv project without a lock file gets the index in `[tool.uv.sources]`. Lock files and lists with hashes hold
    the CUDA builds' hashes and must be made again by their own tools, so that is said instead. Nothing is proposed
    where the repository asks for CUDA without a way out.

    It changes what the image can do, so it is off until asked for. hadolint and BuildKit's checks have no such rule;
    tally would write a RUN of three commands as a heredoc (`tally/prefer-run-heredoc`).
    """

    title = "PyTorch without CUDA"
    risk = Risk.ASK
    order = 70

    FIRES = (
        Example(
            title="pinned in a list",
            before=_DOCKERFILE,
            files={"requirements.txt": "fastapi==0.121.2\ntorch==2.3.1\n", "app.py": "import torch\n"},
            after=_DOCKERFILE.replace(
                "RUN pip install --no-cache-dir -r",
                f"{_COMMENT}RUN pip install --no-cache-dir --no-deps --index-url {CPU_INDEX} torch==2.3.1 \\\n"
                "    && pip install --no-cache-dir -r",
            ),
        ),
        Example(
            title="through another package, and frozen lines of nvidia packages",
            before=_DOCKERFILE.replace("RUN pip install", "RUN pip install -U pip && \\\n    pip install"),
            census=_CENSUS,
            files={
                "requirements.txt": "nvidia-cudnn-cu12==8.9.2.26\n    # via torch\n# models\n"
                "sentence-transformers==3.0.1\ntriton==2.3.1  # by torch\n",
            },
            after=_DOCKERFILE.replace(
                "RUN pip install --no-cache-dir -r",
                f"{_COMMENT}RUN pip install -U pip && \\\n"
                f"    pip install --no-cache-dir --no-deps --index-url {CPU_INDEX} torch==2.3.1 && \\\n"
                "    pip install --no-cache-dir -r",
            ),
            files_after={"requirements.txt": "# models\nsentence-transformers==3.0.1\n"},
        ),
        Example(
            title="uv, several packages in one command",
            before="FROM python:3.11-slim\n"
            "RUN uv pip install --system --python=3.11 torch==2.3.1 torchvision==0.18.1; true\n",
            after=f"FROM python:3.11-slim\n{_COMMENT}RUN (uv pip install --system --python=3.11 --no-deps --index-url "
            f"{CPU_INDEX} torch==2.3.1 torchvision==0.18.1 \\\n"
            "    && uv pip install --system --python=3.11 torch==2.3.1 torchvision==0.18.1); true\n",
        ),
        Example(
            title="a project of uv without a lock file",
            before="FROM python:3.11-slim\nCOPY . .\nRUN uv sync --no-dev --extra ml\n",
            census=_CENSUS,
            files={
                "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = []\n\n'
                '[project.optional-dependencies]\nml = [\n    "sentence-transformers>=3",  # embeddings\n]\n'
            },
            files_after={
                "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = []\n\n'
                '[project.optional-dependencies]\nml = [\n    "sentence-transformers>=3",  # embeddings\n'
                '    "torch==2.3.1",\n]\n\n[tool.uv.sources]\ntorch = { index = "pytorch-cpu" }\n\n'
                f'[[tool.uv.index]]\nname = "pytorch-cpu"\nurl = "{CPU_INDEX}"\nexplicit = true\n'
            },
        ),
    )
    SILENT = (
        Example(_DOCKERFILE, files={"requirements.txt": "fastapi\n"}, title="no torch"),
        Example(
            _DOCKERFILE,
            files={"requirements.txt": f"--extra-index-url {CPU_INDEX}\ntorch==2.3.1\n"},
            title="the CPU index is named",
        ),
        Example(_DOCKERFILE, files={"requirements.txt": "torch>=2\n"}, title="the version is not known yet"),
        Example(
            _DOCKERFILE,
            files={"requirements.txt": "torch==2.3.1 \\\n    --hash=sha256:0a\n"},
            title="hashes of the CUDA build",
        ),
        Example(
            _DOCKERFILE,
            files={"requirements.txt": "torch==2.3.1\n", "app.py": "import torch\nmodel = net().cuda()\n"},
            title="uses a GPU",
        ),
        Example(
            _DOCKERFILE.replace("install", "install --target /deps"),
            files={"requirements.txt": "torch==2.3.1\n"},
            title="a folder in which pip sees nothing",
        ),
        Example(
            "FROM python:3.11-slim\nCOPY . .\nRUN uv sync --frozen\n",
            files={
                "pyproject.toml": '[project]\nname = "app"\ndependencies = ["torch"]\n',
                "uv.lock": '[[package]]\nname = "torch"\nversion = "2.3.1"\n',
            },
            title="a lock file",
        ),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        needed = view.dockerfile.needed_by(view.stage)
        mine = [each for each in installs(view) if each.instruction.stage in needed]
        try:
            found = bringing(view, mine)
            if found:
                return self._of_commands(view, found)
            for project in projects(view):
                if reached(project.asked, view.census).intersection(FAMILY):
                    return self._of_project(view, project)
        except (RequirementsError, TorchUnclear) as error:
            return self.declined(str(error))
        unknown = [name for each in mine for name in each.unknown]
        if unknown and view.census and view.census.distribution("torch"):
            return self.declined(f"torch may come with {unknown[0]}, which is no file of the repository")
        return self.declined("nothing that it installs is known to bring torch")

    def _of_commands(self, view: RepoView, found: tuple[Bringing, ...]) -> Phase | Declined:
        """The CPU builds in front of the first pip or uv command of each environment."""
        asked = tuple(
            {(line.path, line.line, line.name): line for each in found for line in each.asked}.values()
        )
        paths = dict.fromkeys((view.target.dockerfile, *(line.path for line in asked)))
        if against := against_cpu_builds(view, asked, paths):
            return Declined(self.id, *against)
        pinned = versions(asked, view.census)
        if reason := next((why for each in found if (why := why_not(view, each, pinned))), ""):
            return self.declined(reason)
        first = first_ones(view, found)
        dockerfile = view.dockerfile
        after = apply_edits(dockerfile.text, [edit for each in first for edit in edits(view, each, pinned)])
        lists = list(lists_without_cuda(view, asked))
        lines = [dockerfile.line_of(each.install.command.span.start) for each in first]
        named = [line for line in asked if line.name in FAMILY] or [
            line for line in asked if reached([line], view.census).intersection(FAMILY)
        ]
        evidence = [(line.path, line.line) for line in named] + [(dockerfile.path, line) for line in lines]
        return self._phase(
            view,
            (FileEdit(dockerfile.path, dockerfile.text, after), *lists),
            dict.fromkeys(evidence),
            _how(dockerfile.path, lines, pinned, named),
        )

    def _of_project(self, view: RepoView, project: Project) -> Phase | Declined:
        """The index in the pyproject.toml of a uv project; a lock file is its tool's business."""
        lock = lock_of(view, project)
        if against := against_cpu_builds(view, project.asked, [project.path, *([lock] if lock else [])]):
            return Declined(self.id, *against)
        if lock:
            held = {name: locked_version(view.files[lock], name) for name in FAMILY}
            pins = {name: version for name, version in held.items() if version}
            return self.declined(
                how_to_lock(project.tool, lock, pins)
                if pins
                else f"{lock} holds no PyTorch, so what is installed is not known: lock {project.path} anew first"
            )
        if project.tool != "uv":
            return self.declined(
                f"{project.path} is installed by {project.tool}, which names sources in its own way"
            )
        before = view.files[project.path]
        edit = FileEdit(project.path, before, with_cpu_source(before, project, view.census))
        evidence = [(view.target.dockerfile, project.line)]
        evidence += [
            (line.path, line.line)
            for line in project.asked
            if reached([line], view.census).intersection(FAMILY)
        ]
        how = (
            f"{project.path} names PyTorch's CPU index as the source of torch, for nothing else (explicit). It counts "
            "for everybody who installs the project with uv."
        )
        return self._phase(view, (edit,), dict.fromkeys(evidence), how)

    def _phase(
        self, view: RepoView, edits: tuple[FileEdit, ...], evidence: Iterable[tuple[str, int]], how: str
    ) -> Phase:
        gone = for_gpus_only(view.census) if view.census else frozenset()
        found = [each for each in view.census.distributions if each.name in gone] if view.census else []
        total = sum(each.size_bytes for each in found)
        largest = sorted(found, key=lambda each: -each.size_bytes)[:3]
        held = (
            f" The image holds {size(total)} of packages that only CUDA builds need: "
            f"{', '.join(f'{each.name} ({size(each.size_bytes)})' for each in largest)}"
            f"{' and more' if len(found) > 3 else ''}."
            if found
            else ""
        )
        return Phase(
            id=self.id,
            title=self.title,
            why=f"torch comes as its CUDA build, and nothing here uses a GPU.{held}\n\n{how}",
            edits=edits,
            evidence=tuple(view.evidence(path, line) for path, line in evidence),
            risk=self.risk,
            removes=tuple(sorted(gone)),
            predicted=Prediction(
                -total if found else None,
                "nvidia packages and triton, by the census; the CPU build of torch itself is smaller, too: by "
                "how much, the build shows"
                if found
                else "how large the CUDA builds are is known once the baseline was built",
            ),
            costs="The image cannot use a GPU any more: torch.cuda.is_available() is False. The build fetches from "
            f"{CPU_INDEX}.",
        )


def _how(dockerfile: str, lines: list[int], pinned: Mapping[str, str], named: list[Listed]) -> str:
    pins = " and ".join(f"{name} {version}" for name, version in pinned.items())
    where = ", ".join(f"{dockerfile}:{line}" for line in lines)
    through = "" if any(line.name in FAMILY for line in named) else f", which come with {named[0].name}"
    return (
        f"The CPU builds of {pins}{through} are installed before {where}, without dependencies and from their own "
        "index; the command itself then finds them and installs the rest as before."
    )
