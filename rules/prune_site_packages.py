"""Takes tests, headers, static libraries and installers out of the environment, in the stage that is copied from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.debian.build_tools import tool_commands
from phasewise.model.dockerfile import Dockerfile, Instruction, Stage
from phasewise.model.edits import insert_after
from phasewise.model.paths import within
from phasewise.model.phase import Declined, Evidence, FileEdit, Phase, Prediction, Risk, part
from phasewise.model.python.bytecode import compilations
from phasewise.model.python.environments import EnvironmentCopy, Install, environment_copies, installs
from phasewise.model.python.imports import anywhere
from phasewise.model.python.large import NOT_MEASURED, WORTHWHILE_BYTES, may_hold_large_packages
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.measured_packages import BROUGHT_ALONG, base_pip, measured_folders
from phasewise.model.stages.runtime_use import runtime_uses
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule

_PATH = re.compile(r"/[\w./+-]+")
_TESTS_IN_CODE = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\w+)[\w.]*\.tests?\b", re.M)
_INSTALLER_MODULES = ("pip", "setuptools", "wheel", "pkg_resources", "distutils")
_PIP = re.compile(r"\bpip[\d.]*\b")
_BUILDS = re.compile(r"\b(pip[\d.]*|uv|poetry|pdm|setup\.py|build|cython(ize)?|make|cmake)\b")
_PIP_IN_CODE = re.compile(r"""['"]pip[\d.]*['"]""")
_REMOVES_PIP = re.compile(r"\buninstall\b[^&|;]*\bpip\b|-packages/[{\w,]*\bpip\b")
_OWN = "from importlib.metadata import distributions"
_MORE_THAN_TESTS = re.compile(r"\.(a|h|hpp)\b|\binclude\b")
_REMOVAL = re.compile(r"\b(pip[\d.]*\s+uninstall|rm)\b[^&|;\n]*")
_PRUNES = re.compile(r"\btests?\b.*(\brm\b|-delete\b|rmtree)|(\brm\b|-delete\b|rmtree).*\btests?\b", re.S)
_COMPILERS = frozenset({"gcc", "g++", "cc", "c++", "clang", "make"})

_READ = r"""import re; \
    from importlib.metadata import distributions; \
    from pathlib import Path; \
    sites = [*map(str, Path("{path}").glob("lib/python*/*-packages"))] or ["{path}"]; \
    installed = [*distributions(path=sites)]; \
    files = [file for each in installed for file in each.files or () if file.locate().exists()]; \
    code = [file for file in files if file.suffix == ".py" and not re.search("/tests?/", str(file))]; \
    # What is imported, and by which package.
    imports = {{(file.parts[0], name) for file in code for name in re.findall( \
        r"(?m)^\s*(?:from|import)\s+([\w.]+(?:\s+import\s+tests\b)?)", file.locate().read_text("utf-8", "ignore"))}}"""

_TESTS = r"""; \
    import shutil; \
    # Tests that nothing but tests imports.
    used = {{re.sub(r"\s+import\s+", ".", name) if name[0] != "." else package \
        for package, name in imports if re.search(r"\btests?\b", name)}}; \
    tests = {{file.dist.locate_file(found[0]) for file in files if file.parts[0] not in used and \
        (found := re.match(r"\w.*?/tests?(?=/(.*/)?test_\w*\.py$)", str(file))) and \
        not any(name.startswith(found[0].replace("/", ".")) for name in used)}}; \
    [shutil.rmtree(folder) for folder in tests]"""

_HEADERS = r"""; \
    # Not from packages that compile while they run.
    [file.locate().unlink() for file in files if file.locate().is_file() and re.search( \
        r"^(?!torch|triton|nvidia|cu|numba|cffi|cppyy|jax|tensorflow).*\binclude/.*\.(h|hh|hpp|hxx)$" \
        r"|^(?!.*libcudadevrt).*\.a$", str(file))]"""

_UNNEEDED = r"""; \
    import subprocess, sys; \
    # Installers that no other package requires or imports.
    others = [each for each in installed if each.metadata["Name"] not in ("pip", "setuptools", "wheel")]; \
    own = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack"); \
    needed = [need for each in others for need in each.requires or () if "extra ==" not in need] + \
        [name for package, name in imports if package not in own]; \
    unneeded = [tool for tool, use in dict(pip="pip", wheel="wheel", \
        setuptools="setuptools|pkg_resources|distutils").items() \
        if not any(re.match(rf"({{use}})\b", need) for need in needed)]; \
    unneeded and subprocess.run([sys.executable, "-m", "pip", "uninstall", "--yes", *unneeded], check=True)"""

_COMMENT = "# Out with {what}, by each distribution's RECORD.\n"
_KEPT = "# Tests that a package imports itself stay, and so do */testing and all dist-info.\n"


class PruneSitePackages(Rule):
    """Packages ship their own tests, and some ship headers, static libraries and an installer, which no
    running application reads: of numpy, pandas, scipy, statsmodels and sympy the tests alone are 60 MB.

    What goes is read from each distribution's RECORD, so that no glob can take `pip_audit` with `pip`, and
    no `-name tests -o -name test` anything that happens to have that name: a folder goes when it is called
    `tests` or `test`, lies inside a package, holds `test_*.py`, and no module outside of tests imports it.
    `astropy.tests`, `numpy._core.tests` and `django.test` are imported and stay; so do all
    `*/testing`. Headers stay in packages that compile while they run (torch, triton, cupy, cffi), and everywhere when
    the image has a compiler or a later step builds something. setuptools stays where something requires it
    or imports `pkg_resources`, pip where a container or a later step calls it. dist-info always stays:
    without it `importlib.metadata.version()` raises and entry points vanish. It runs in the stage that is
    copied from, since a later layer can only hide files.

    hadolint and BuildKit's checks look at instructions only and have no such rule. The step's program makes the
    Dockerfile longer, of which tally/max-lines may speak.
    """

    title = "Prune what no package needs at run time"
    risk = Risk.CHECK
    order = 40

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        copies = environment_copies(dockerfile, view.stage)
        if not copies:
            return self.declined(
                "no stage installs packages that a later one copies; in the final stage a later step saves "
                "nothing (split_base_builder makes such a stage)"
            )
        copy = copies[0]
        if any(_OWN in _words(dockerfile, run) for run in _runs(dockerfile, copy.source)):
            return self.declined("the stage that is copied from was pruned by RECORD already")
        pruning = [run for run in _runs(dockerfile, copy.source) if _prunes(dockerfile, run, copy.path)]
        found = [
            each
            for each in installs(dockerfile, copy.source)
            if not each.project_only and f"{copy.path}/".startswith(f"{each.environment}/")
        ]
        if not found or not _PATH.fullmatch(found[-1].environment) or dockerfile.escape != "\\":
            return self.declined(f"what {copy.path} is installed by is not known")
        if use := _imported_tests(view):
            return self.declined(f"{use.path}:{use.line} imports tests of a package: {use.text.strip()}")
        if found[-1].instruction.stage != copy.source.index:
            return self.declined("the packages are installed in a stage that other stages build on")
        parts = _Parts(view, copy, found[-1], tests=not pruning)
        if any(_MORE_THAN_TESTS.search(_words(dockerfile, run)) for run in pruning) or not parts.what:
            return self.declined(f"the stage that is copied from prunes {copy.path} already")
        predicted = parts.predicted()
        if predicted.image_bytes is None and not may_hold_large_packages(view):
            return self.declined(NOT_MEASURED)
        if predicted.image_bytes is not None and -predicted.image_bytes < WORTHWHILE_BYTES:
            return self.declined(f"less than 1 MB under {copy.path} would go")
        return Phase(
            id=self.id,
            title=self.title,
            why=parts.why(),
            edits=(FileEdit(dockerfile.path, dockerfile.text, parts.after()),),
            evidence=tuple(
                view.evidence(dockerfile.path, line)
                for line in dict.fromkeys((found[-1].instruction.line, copy.instruction.line))
            ),
            risk=self.risk,
            predicted=predicted,
            costs=parts.costs(),
        )

    FIRES = (
        Example(
            title="tests, headers and installers of an environment",
            before="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy\n\n"
            + _COMMENT.format(what="tests, headers, static libraries and unneeded installers")
            + _KEPT
            + "RUN /opt/venv/bin/python -c '"
            + _READ.format(path="/opt/venv")
            + _TESTS.format()
            + _HEADERS
            + _UNNEEDED.format()
            + "'\n\nFROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="pip and headers stay: a later step builds the application with them",
            before="FROM python:3.12-slim AS builder\nENV PATH=/opt/venv/bin:$PATH\n"
            "RUN python -m venv /opt/venv\nRUN pip install numpy\n\nCOPY . .\nRUN pip install --no-deps .\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            after="FROM python:3.12-slim AS builder\nENV PATH=/opt/venv/bin:$PATH\n"
            "RUN python -m venv /opt/venv\nRUN pip install numpy\n\n"
            + _COMMENT.format(what="tests")
            + _KEPT
            + "RUN /opt/venv/bin/python -c '"
            + _READ.format(path="/opt/venv")
            + _TESTS.format()
            + "'\n\nCOPY . .\nRUN pip install --no-deps .\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
        ),
        Example(
            title="an image with a compiler keeps headers and static libraries",
            before="FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install numpy\n"
            "FROM python:3.12\nCOPY --from=builder /install /usr/local\n",
            after="FROM python:3.12-slim AS builder\nRUN pip install --prefix=/install numpy\n\n"
            + _COMMENT.format(what="tests")
            + _KEPT
            + "RUN python3 -c '"
            + _READ.format(path="/install")
            + _TESTS.format()
            + "'\n\nFROM python:3.12\nCOPY --from=builder /install /usr/local\n",
        ),
    )
    SILENT = (
        Example("FROM python:3.12-slim\nRUN pip install numpy\n", title="one stage"),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install numpy && \\\n"
            "    find /opt/venv -type d \\( -name tests -o -name include \\) -prune -exec rm -rf {} +\n"
            "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n",
            title="pruned already, where it counts",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
            "RUN /opt/venv/bin/pip install idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /opt/venv /opt/venv\n"
            "RUN /opt/venv/bin/pip --version\n",
            census=Census(
                image_bytes=100_000_000,
                layers=(Layer("COPY", 1_000_000),),
                file_bytes=100_000_000,
                distributions=(
                    Distribution("idna", "3.10", "/opt/venv/lib/python3.12/site-packages", 300_000),
                ),
                test_bytes={"/opt/venv/lib/python3.12/site-packages": 20_000},
            ),
            title="hardly anything to prune",
        ),
        Example("FROM alpine\nCOPY . .\n", title="no packages"),
    )


class _Parts:
    """What may go in one environment, and the instruction that takes it out."""

    def __init__(self, view: RepoView, copy: EnvironmentCopy, install: Install, tests: bool) -> None:
        self.view, self.copy, self.install = view, copy, install
        self.path = install.environment
        self.made_by_venv = _has_own_pip(view.dockerfile, copy.source, self.path)
        self.tests = tests
        self.headers = not _has_compiler(view) and not _builds_later(view, copy, install)
        self.installers = self.made_by_venv and not _calls_pip(view, copy, install)
        self.what = self._what()

    def after(self) -> str:
        dockerfile = self.view.dockerfile
        comment = _COMMENT.format(what=self.what) + (_KEPT if self.tests else "")
        block = f"\n{comment}{self._run()}\n"
        place = insert_after(dockerfile, self.install.instruction, block)
        if not dockerfile.text[place.span.end :].startswith(("\n", "\r\n")):
            place = insert_after(dockerfile, self.install.instruction, f"{block}\n")
        return apply_edits(dockerfile.text, [place])

    def why(self) -> str:
        tests = "Folders called test or tests go only when they hold test_*.py and no module imports them. "
        if not self.tests:
            tests = "Tests are pruned there already. "
        return (
            f"Stage {self.copy.source.label} installs packages under {self.path}, and all of it is copied. "
            f"{self.what.capitalize()} in it are never read by what runs. They are taken out there, before the "
            "copy: in a later layer they would be hidden, and stay in the image.\n\n"
            f"{tests}No dist-info is touched, so versions and entry points are found as before."
        )

    def costs(self) -> str:
        if not self.installers:
            return ""
        return f"Nobody can `pip install` into {self.path} in a running container any more."

    def predicted(self) -> Prediction:
        census = self.view.census
        if census is None:
            return Prediction(None, "known once the baseline is built")
        folders = measured_folders(self.view, self.path)
        if not folders:
            return Prediction(
                None, f"where the baseline's image has the packages of {self.path} is not known"
            )
        compiles = self._compiles()
        gone = census.parts("test", *folders) if self.tests else {}
        if self.tests and compiles:
            gone |= census.parts("test_legacy_bytecode", *folders)
        if self.headers:
            gone |= census.parts("static_library", *folders)
        for each in self._unneeded(census, folders) if self.installers else ():
            legacy = 0 if compiles else each.legacy_bytecode_bytes
            gone[part("python", each.name)] = each.size_bytes - legacy
        return Prediction.of(
            gone, f"at most: {self._what(counted=True)} under {self.path}, less what packages import"
        )

    def _unneeded(self, census: Census, folders: Sequence[str]) -> list[Distribution]:
        """The installers of the environment that no package requires; the base image's pip for a new one's."""
        others = [each for each in census.distributions if each.name not in BROUGHT_ALONG]
        needed = {name for each in others if each.location in folders for name in each.requires}
        own = [each for each in census.distributions if within(each.location, self.path)]
        if not any(within(folder, self.path) for folder in folders):
            own = [pip] if (pip := base_pip(census)) else []
        return [each for each in own if each.name in BROUGHT_ALONG and each.name not in needed]

    def _compiles(self) -> bool:
        dockerfile = self.view.dockerfile
        return any(each.legacy for each in compilations(dockerfile, dockerfile.needed_by(self.view.stage)))

    def _what(self, counted: bool = False) -> str:
        parts = ["tests"] if self.tests else []
        if self.headers:
            parts += ["static libraries"] if counted else ["headers", "static libraries"]
        if self.installers:
            parts.append("unneeded installers")
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))

    def _run(self) -> str:
        python = f"{self.path}/bin/python" if self._is_environment() else "python3"
        program = _READ.format(path=self.path)
        program += (_TESTS.format() if self.tests else "") + (_HEADERS if self.headers else "")
        return f"RUN {python} -c '{program}{_UNNEEDED.format() if self.installers else ''}'"

    def _is_environment(self) -> bool:
        """Whether there is a Python of its own in it: a virtual environment, not a prefix or /usr/local."""
        return self.made_by_venv or any(
            "venv" in command.argv or command.argv[:2] == ("uv", "sync")
            for run in _runs(self.view.dockerfile, self.copy.source)
            if (script := Script.of(self.view.dockerfile, run))
            for command in script.commands
            if self.path in _expanded(self.view.dockerfile, run, command.argv)
            or command.argv[1:2] == ("sync",)
        )


def _runs(dockerfile: Dockerfile, stage: Stage) -> list[Instruction]:
    lineage = dockerfile.lineage(stage)
    return [each for one in lineage for each in one.instructions if each.keyword == "RUN"]


def _prunes(dockerfile: Dockerfile, run: Instruction, path: str) -> bool:
    """Whether a RUN removes tests somewhere under `path`."""
    if not _PRUNES.search(_words(dockerfile, run)):
        return False
    script = Script.of(dockerfile, run)
    words = [w for command in (script.commands if script else ()) for w in command.argv]
    return any(path in word or "-packages" in word for word in _expanded(dockerfile, run, words))


def _words(dockerfile: Dockerfile, run: Instruction) -> str:
    """What the RUN executes, bodies of heredocs included."""
    return "\n".join((run.value, *(heredoc.body.of(dockerfile.text) for heredoc in run.heredocs)))


def _expanded(dockerfile: Dockerfile, run: Instruction, words: list[str] | tuple[str, ...]) -> list[str]:
    return [dockerfile.expand(word, run) or word for word in words]


def _has_own_pip(dockerfile: Dockerfile, stage: Stage, path: str) -> bool:
    """Whether `python -m venv PATH` or `virtualenv PATH` made the environment, with pip in it."""
    for run in _runs(dockerfile, stage):
        script = Script.of(dockerfile, run)
        for command in script.commands if script else ():
            by_venv = command.argv[1:3] == ("-m", "venv") or command.name == "virtualenv"
            words = [word.rstrip("/") for word in _expanded(dockerfile, run, command.argv)]
            if by_venv and "--without-pip" not in words and path in words:
                return True
    return False


def _has_compiler(view: RepoView) -> bool:
    """Whether the target's image can compile: only images known to be slim are taken to have no compiler."""
    first = view.dockerfile.lineage(view.stage)[0]
    image = view.dockerfile.expand(first.base, first.instructions[0]) or first.base
    slim = re.search(r"slim|alpine|distroless|debian|ubuntu", image) is not None
    return not slim or bool(_COMPILERS & tool_commands(view))


def _calls_pip(view: RepoView, copy: EnvironmentCopy, install: Install) -> bool:
    """Whether a later step of a stage with this environment, a container or the application's code needs pip, or
    a step removes it."""
    runs = _runs(view.dockerfile, copy.source)
    if any(_PIP.search(text) for text in _later(view, copy, install)) or any(
        _REMOVES_PIP.search(_words(view.dockerfile, r)) for r in runs
    ):
        return True
    if runtime_uses(view, {"pip", "pip3"}):
        return True
    code = _code(view)
    return bool(anywhere(_INSTALLER_MODULES, code, lambda path: view.files[path])) or any(
        _PIP_IN_CODE.search(view.files[path]) for path in code
    )


def _imported_tests(view: RepoView) -> Evidence | None:
    """The first place where the repository imports the tests of a package that is not its own."""
    own = {part for path in view.paths for part in path.removesuffix(".py").split("/")}
    for path in _code(view):
        for match in _TESTS_IN_CODE.finditer(view.files[path]):
            if match[1] not in own:
                return view.evidence(path, view.files[path].count("\n", 0, match.start(1)) + 1)
    return None


def _code(view: RepoView) -> list[str]:
    """The Python files of the build context, those that only build packages aside."""
    prefix = "" if view.target.context == "." else f"{view.target.context}/"
    return sorted(
        path
        for path in view.paths
        if path.endswith(".py")
        and path.startswith(prefix)
        and path.rpartition("/")[2] not in ("setup.py", "noxfile.py")
    )


def _builds_later(view: RepoView, copy: EnvironmentCopy, install: Install) -> bool:
    """Whether something may be compiled behind the install; removing an installer compiles nothing."""
    return any(_BUILDS.search(_REMOVAL.sub("", text)) for text in _later(view, copy, install))


def _later(view: RepoView, copy: EnvironmentCopy, install: Install) -> list[str]:
    """What is run behind the install, in stages that have the environment."""
    dockerfile = view.dockerfile
    holders = {copy.source.index, copy.instruction.stage}
    for stage in dockerfile.stages:
        copied = [dockerfile.source_stage(each) for each in stage.instructions]
        if stage.base_stage in holders or any(one and one.index == copy.source.index for one in copied):
            holders.add(stage.index)
    return [
        _words(dockerfile, each)
        for each in dockerfile.instructions
        if each.stage in holders
        and each.keyword == "RUN"
        and each.span.start > install.instruction.span.start
    ]
