"""Takes compilers, headers and git out of the stages that only build, where every package comes as a wheel."""

from __future__ import annotations

from phasewise.model.builds.machines import other_machine
from phasewise.model.census import Built, Census, Distribution
from phasewise.model.debian.needless_tools import Trimmed, tools_of_builds, without_tools
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.python.built_packages import Packages
from phasewise.model.repo import RepoView
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule
from phasewise.rules.line_endings import in_unix_lines

_FINAL = (
    "\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n"
    'CMD ["/opt/venv/bin/python", "-m", "app"]\n'
)
_BUILDER = "FROM python:3.12-slim AS builder\n"
_INSTALL = "RUN python -m venv /opt/venv\nCOPY requirements.txt .\nRUN /opt/venv/bin/pip install -r requirements.txt\n"
_TOOLS = (
    "RUN apt-get update && apt-get install -y --no-install-recommends \\\n    build-essential \\\n    git \\\n"
    "    && rm -rf /var/lib/apt/lists/*\n"
)
_SITE = "/opt/venv/lib/python3.12/site-packages"
_FLASK = Distribution("flask", "3.1.2", _SITE, 600_000, built=Built.PURE)
_NUMPY = Distribution("numpy", "2.3.5", _SITE, 70_000_000, built=Built.ELSEWHERE)
_CENSUS = Census(300_000_000, (), 300_000_000, distributions=(_FLASK, _NUMPY))
_FILES = {"requirements.txt": "flask==3.1.2\nnumpy>=2\n"}
_COSTS = (
    "A version that comes without a wheel, or a build for another kind of machine (arm64), may need them again. That "
    "build stops at the install and says so, `No such file or directory: 'gcc'`, or `Cannot find command 'git'`. Then "
    "roll this phase back, or install the tool again. A package whose compiled part is optional is installed without "
    "it."
)


class NeedlessBuildTools(Rule):
    """Many a builder installs gcc or build-essential because some package once needed it. Where all packages come as
    wheels by now, nothing calls it, and every build that does not find the step in the cache waits for it: cold builds
    of two projects, 50 to 71 seconds long, took 9 to 23 seconds less without in four comparisons.

    Looked at are stages that only build, and steps that remove their tools again themselves.

    Proof is the baseline's image, distribution by distribution: a wheel that is pure Python, or one tagged manylinux or
    musllinux, was not compiled here. One tagged linux_x86_64 was, as package indexes take none of those, unless its
    files name Red Hat's compilers on Debian (lightgbm's wheel got its right name after it was built): then all tools
    stay. So they do when a list asks for something that the measured image does not have, when another command of the
    stage may compile (make, npm, a script), when another stage takes files out of /usr, or when a container runs the
    stage, built by its name too. git stays where something comes from a repository, and curl where it is called. Where
    strip is called, binutils takes the place of the compiler.

    The wheels of one kind of machine are known, of that which measured. So nothing is proposed where a workflow or a
    bake file builds for arm64 too, or a comment says that another architecture needs the tools. The final stage is for
    runtime_libraries. In a builder the bytes of the image stay the same; what is saved is time.

    What comes without a wheel some day makes the build fail at its install, loudly. Then roll the phase back, or add
    the package again. hadolint and BuildKit's checks have no rule for it, as no line of a Dockerfile tells.
    """

    title = "Build without needless compilers"
    risk = Risk.CHECK
    order = 42

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        return in_unix_lines(view, self._propose)

    def _propose(self, view: RepoView) -> Phase | Declined:
        dockerfile = view.dockerfile
        tools = tools_of_builds(view)
        if not tools:
            return self.declined("no stage that only builds installs compilers, headers or git")
        if view.census is None:
            return self.declined(
                f"whether anything is compiled with {listed(tools)} is not known: measure the baseline first"
            )
        if place := other_machine(view):
            return self.declined(
                f"{place.path}:{place.line} builds for several kinds of machines, or may: which wheels there are was "
                "measured for one",
            )
        trimmed = without_tools(view, ())
        if not trimmed.taken:
            verb = "stays" if len(trimmed.stay) == 1 else "stay"
            return self.declined(f"{listed(trimmed.stay)} {verb}, since {trimmed.reason}")
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(trimmed, view.census),
            edits=(FileEdit(dockerfile.path, dockerfile.text, trimmed.text),),
            evidence=tuple(
                view.evidence(dockerfile.path, line)
                for line in dict.fromkeys(line for line, _ in trimmed.taken)
            ),
            risk=self.risk,
            predicted=Prediction(
                None, "it saves time whenever the builder is built anew, not bytes of the image"
            ),
            costs=_COSTS,
        )

    FIRES = (
        Example(
            title="nothing is compiled",
            before=f"{_BUILDER}\n# To compile what has no wheel\n{_TOOLS}\n{_INSTALL}{_FINAL}",
            after=f"{_BUILDER}\n{_INSTALL}{_FINAL}",
            files=_FILES,
            census=_CENSUS,
        ),
        Example(
            title="strip needs binutils, the download curl",
            before=_BUILDER
            + _TOOLS.replace("git", "curl")
            + f"RUN curl -fsSLo /opt/model https://models.example/1\n{_INSTALL}"
            + f"RUN strip /opt/venv/lib/own.so\n{_FINAL}",
            after=_BUILDER
            + _TOOLS.replace("git", "curl").replace("build-essential", "binutils")
            + f"RUN curl -fsSLo /opt/model https://models.example/1\n{_INSTALL}"
            + f"RUN strip /opt/venv/lib/own.so\n{_FINAL}",
            files=_FILES,
            census=_CENSUS,
        ),
    )
    SILENT = (
        Example(
            f"{_BUILDER}{_TOOLS}{_INSTALL}{_FINAL}", files=_FILES, title="not measured yet: nobody can tell"
        ),
        Example(
            f"{_BUILDER}{_TOOLS}{_INSTALL}{_FINAL}",
            files=_FILES,
            census=Census(
                1, (), 1, distributions=(_FLASK, Distribution("numpy", "2.3.5", _SITE, 1, built=Built.HERE))
            ),
            title="one package was compiled",
        ),
        Example(
            f"{_BUILDER}{_TOOLS}{_INSTALL}",
            files=_FILES,
            census=_CENSUS,
            title="one stage, which a container runs",
        ),
        Example(
            f"{_BUILDER}{_TOOLS}{_INSTALL}{_FINAL}",
            files={
                **_FILES,
                "docker-bake.hcl": 'target "app" {\n  platforms = ["linux/amd64", "linux/arm64"]\n}\n',
            },
            census=_CENSUS,
            title="built for two kinds of machines",
        ),
        Example(
            f"{_BUILDER}# gcc: some architectures have no wheel of numpy\n{_TOOLS}{_INSTALL}{_FINAL}",
            files=_FILES,
            census=_CENSUS,
            title="a comment says that other machines compile",
        ),
        Example(
            f"{_BUILDER}{_TOOLS}{_INSTALL}RUN make -C native install\n{_FINAL}",
            files=_FILES,
            census=_CENSUS,
            title="something else compiles",
        ),
        Example(f"{_BUILDER}{_INSTALL}{_FINAL}", files=_FILES, census=_CENSUS, title="done already"),
    )


def _why(trimmed: Trimmed, census: Census) -> str:
    names = listed(dict.fromkeys(name for _, name in trimmed.taken))
    installed = Packages.of(census, ()).distributions
    compiled = sum(each.built is Built.ELSEWHERE for each in installed)
    parts = [
        f"Nothing needs {names}. Of the {len(installed)} Python packages in the baseline's image {compiled} have "
        "compiled parts, which came built in their wheels; the others have none. No other command of the stage calls "
        "the tools, no other stage takes files of theirs, and no image that runs has them."
    ]
    if trimmed.instead:
        parts.append(
            f"What strips or inspects libraries there is in {listed(trimmed.instead)}, which is installed instead."
        )
    if trimmed.stay:
        parts.append(f"{listed(trimmed.stay)} stay where they are, since {trimmed.reason}.")
    return "\n\n".join(parts)
