"""Publishes the image for amd64 and arm64."""

from __future__ import annotations

from phasewise.model.builds.one_platform import fixed_for
from phasewise.model.builds.platforms import PLATFORMS, timeouts, why_not, with_platforms
from phasewise.model.builds.references import build_references
from phasewise.model.builds.workflow import is_workflow
from phasewise.model.builds.yaml_edit import YamlRefusal
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.missing_wheels import wheels_said, without_wheels
from phasewise.model.repo import BuildReference, RepoView
from phasewise.rules.base import Example, Picks, Rule

_DOCKERFILE = "FROM python:3.12-slim\nCOPY . .\nRUN uv sync --frozen\n"
_WORKFLOW = """\
on: push
jobs:
  publish:
    runs-on: ubuntu-latest
    timeout-minutes: 20  # it was 10
    steps:
      - uses: actions/checkout@v5
      - uses: docker/login-action@v3
        with:
          registry: registry.example

      # what production runs
      - name: Build and push
        uses: docker/build-push-action@v6
        with:
          context: .
          push: true  # to the registry
          tags: registry.example/app:latest
"""
_SETUP = """\
      - name: Set up QEMU
        uses: docker/setup-qemu-action@v3

      - name: Set up Docker Buildx
        uses: docker/setup-buildx-action@v3

"""
_COMMAND = """\
on: push
jobs:
  publish:
    steps:
      - uses: docker/setup-buildx-action@v4
      - run: |
          docker login
          docker buildx build --push \\
            -t registry.example/app .   # the image
"""
_LOCK = """\
version = 1

[[package]]
name = "app"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "numpy" }, { name = "old" }, { name = "gpu", marker = "platform_machine == 'x86_64'" }]

[[package]]
name = "numpy"
version = "2.3.5"
source = { registry = "https://index.example/simple" }
wheels = [
    { url = "https://x.example/numpy-2.3.5-cp312-cp312-manylinux_2_27_x86_64.whl" },
    { url = "https://x.example/numpy-2.3.5-cp312-cp312-manylinux_2_27_aarch64.whl" },
]

[[package]]
name = "old"
version = "1.0"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://x.example/old-1.0.tar.gz" }
wheels = [{ url = "https://x.example/old-1.0-cp312-cp312-manylinux_2_17_x86_64.whl" }]

[[package]]
name = "gpu"
version = "1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://x.example/gpu-1.0-py3-none-manylinux_2_17_x86_64.whl" }]
"""
_FILES = {
    "pyproject.toml": '[project]\nname = "app"\ndependencies = ["numpy", "old", "gpu"]\n',
    "uv.lock": _LOCK,
    ".github/workflows/publish.yml": _WORKFLOW,
}


class MultiPlatform(Rule):
    """An image for amd64 alone runs under emulation on ARM servers and on the laptops of developers, slowly, or not at
    all. The workflow that publishes gets `platforms: linux/amd64,linux/arm64`, and QEMU and Buildx in front of it where
    they are missing, at the major version of the actions beside them. Comments and form of the workflow stay.

    What has no wheel for arm64 is read from the file names in uv.lock or poetry.lock, markers considered: it is built
    from source there, under emulation, and needs a compiler. Where a package has neither wheel nor source, or the
    Dockerfile names amd64 (`--platform=linux/amd64`, a download for x86_64), nothing is proposed: with such a FROM the
    builder makes an image that says arm64 and holds programs for amd64. Without a lock file it is not known, and the
    phase says how to find out. `load: true` takes one platform only, and so do `docker build` and `docker push` as two
    commands.

    It doubles what is built and published, so it is off until asked for. hadolint: DL3029 warns of `--platform` in
    FROM; BuildKit's checks: FromPlatformFlagConstDisallowed. Neither looks at workflows.
    """

    title = "Publish for arm64, too"
    risk = Risk.ASK
    order = 85

    FIRES = (
        Example(
            title="the action, with a lock file",
            before=_DOCKERFILE,
            files=_FILES,
            files_after={
                ".github/workflows/publish.yml": _WORKFLOW.replace(
                    "      # what production runs\n", f"{_SETUP}      # what production runs\n"
                ).replace(
                    "          context: .\n", f"          context: .\n          platforms: {PLATFORMS}\n"
                )
            },
        ),
        Example(
            title="a command, QEMU in front of the Buildx that is there",
            before="FROM debian:bookworm-slim\n",
            files={".github/workflows/publish.yml": _COMMAND},
            files_after={
                ".github/workflows/publish.yml": _COMMAND.replace(
                    "    steps:\n",
                    "    steps:\n      - name: Set up QEMU\n        uses: docker/setup-qemu-action@v4\n",
                ).replace("build --push", f"build --platform {PLATFORMS} --push")
            },
        ),
    )
    SILENT = (
        Example("FROM debian:bookworm-slim\n", title="nothing publishes"),
        Example(
            "FROM --platform=linux/amd64 debian:bookworm-slim\n",
            files={".github/workflows/publish.yml": _WORKFLOW},
            title="a fixed platform",
        ),
        Example(
            "FROM debian:bookworm-slim\nADD https://x.example/tool-linux-x86_64 /usr/bin/tool\n",
            files={".github/workflows/publish.yml": _WORKFLOW},
            title="a download for amd64",
        ),
        Example(
            _DOCKERFILE,
            files=_FILES | {"uv.lock": _LOCK.replace("sdist = ", "size = ")},
            title="a package with neither wheel nor source",
        ),
        Example(
            "FROM debian:bookworm-slim\n",
            files={
                ".github/workflows/publish.yml": _WORKFLOW.replace(
                    "push: true", "push: true\n          load: true"
                )
            },
            title="loaded into the engine, too",
        ),
        Example(
            "FROM debian:bookworm-slim\n",
            files={".github/workflows/publish.yml": _WORKFLOW.replace("action@v6", "action@" + "0a" * 20)},
            title="actions pinned by commit",
        ),
    )

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        every = [each for each in build_references(view.files, view.paths) if is_workflow(each.path)]
        mine = [
            each
            for each in every
            if each.dockerfile == view.target.dockerfile and each.stage == view.target.stage
        ]
        if not mine:
            return self.declined("no workflow builds this target")
        chosen: list[BuildReference] = []
        reasons: list[str] = []
        for build in mine:
            try:
                reason = why_not(view.files[build.path], build)
            except YamlRefusal as refusal:
                reason = str(refusal)
            if reason:
                reasons.append(f"{build.path}:{build.line}: {reason}")
            else:
                chosen.append(build)
        if not chosen:
            return self.declined("; ".join(dict.fromkeys(reasons)))
        steps = {(each.path, each.where) for each in chosen}
        together = [each for each in every if (each.path, each.where) in steps]
        if use := next(fixed_for(view, together), None):
            reason = f"{use[0]}:{use[1]} is made for amd64 alone"
            return Declined(self.id, reason, (view.evidence(*use),) if use[0] in view.files else ())
        return self._phase(view, chosen)

    def _phase(self, view: RepoView, chosen: list[BuildReference]) -> Phase | Declined:
        missing = without_wheels(view)
        for lock, packages in missing.items():
            lost = [f"{each.name} {each.version}" for each in packages if not each.has_source]
            if lost:
                return self.declined(
                    f"{lock} has neither a wheel for arm64 nor the source of {', '.join(lost)}"
                )
        edits = []
        limits = []
        for path in dict.fromkeys(each.path for each in chosen):
            builds = [each for each in chosen if each.path == path]
            text = view.files[path]
            try:
                edits.append(FileEdit(path, text, with_platforms(text, builds)))
                limits += [(path, line) for line in timeouts(text, builds)]
            except YamlRefusal as refusal:
                return self.declined(f"{path}: {refusal}")
        where = ", ".join(f"{each.path}:{each.line}" for each in chosen)
        limited = ", ".join(f"{path}:{line}" for path, line in limits)
        return Phase(
            id=self.id,
            title=self.title,
            why=f"{where} publishes for the runner's own platform alone. With {PLATFORMS} the registry holds one image "
            f"for each, and a pull takes the one that fits.\n\n{wheels_said(view, missing)}",
            edits=tuple(edits),
            evidence=tuple(
                view.evidence(path, line)
                for path, line in dict.fromkeys([*((each.path, each.line) for each in chosen), *limits])
            ),
            risk=self.risk,
            predicted=Prediction(
                0, "the image for amd64 stays as it is; one for arm64 is published beside it"
            ),
            costs="The build for arm64 runs under emulation: what is compiled there takes many times as long."
            + (f" The time limit of {limited} may be too short for it." if limited else ""),
        )
