"""The CI variant on whole repositories: what fires, what it says, what it leaves alone, when it declines."""

import ast
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from came_built import measured
from msgspec.structs import replace

from phasewise.cli.demo import create as demo
from phasewise.migration import scan
from phasewise.migration.git import Repository
from phasewise.model.builds.references import build_references
from phasewise.model.builds.yaml_edit import load
from phasewise.model.census import Census, Distribution
from phasewise.model.phase import Declined, FileEdit, Phase, Risk
from phasewise.model.repo import RepoView, Target
from phasewise.rules.add_ci_variant import AddCiVariant
from phasewise.rules.discovery import all_rules
from tests.stories import bahr, bot_core, phentrieve, truthgraph

MB = 1_000_000
RULE = AddCiVariant()
DOCKERFILE = AddCiVariant.FIRES[0].before
FILES = AddCiVariant.FIRES[0].files


def view_of(files: Mapping[str, str], dockerfile: str = "Dockerfile", context: str = ".") -> RepoView:
    """A repository whose builds are found as in a real one."""
    everything = {dockerfile: DOCKERFILE, **files}
    builds = build_references(everything, everything)
    return RepoView(Target(dockerfile, context), everything, frozenset(everything), builds)


def fires(view: RepoView, *picked: str) -> Phase:
    answer = RULE.propose(view, {"leave_out": frozenset(picked)} if picked else {})
    assert isinstance(answer, Phase), answer
    return answer


def after(phase: Phase, path: str) -> str:
    edit = next(edit for edit in phase.edits if edit.path == path)
    assert edit.after is not None
    return edit.after


def reason(view: RepoView) -> str:
    answer = RULE.propose(view, {})
    assert isinstance(answer, Declined), answer.files
    return answer.reason


def census(*packages: tuple[str, int, tuple[str, ...]]) -> Census:
    found = [
        Distribution(name, "1.2.3", "/usr/lib", size * MB, (name,), needs) for name, size, needs in packages
    ]
    return Census(1_000 * MB, (), 1_000 * MB, distributions=tuple(found))


# -- real repositories -------------------------------------------------------------------------------------


@pytest.fixture
def story(tmp_path: Path) -> Callable[[ModuleType, str], RepoView]:
    def create(module: ModuleType, dockerfile: str) -> RepoView:
        repository = Repository.open(module.create(tmp_path / "repository"))
        target = next(each for each in scan.scan(repository, "HEAD") if each.dockerfile == dockerfile)
        return scan.view(repository, "HEAD", target)

    return create


def write(view: RepoView, edits: tuple[FileEdit, ...], root: Path) -> None:
    """The files of the view with the edits, below `root`."""
    changed = view.with_edits(edits)
    for path in changed.paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(changed.files[path], newline="", encoding="utf-8", errors="surrogateescape")


def check(root: Path) -> subprocess.CompletedProcess[str]:
    """The check as the workflow calls it."""
    lists = [str(path.relative_to(root)) for path in root.rglob("*-ci.txt")]
    command = [sys.executable, "-I", "ci/check_requirements_ci.py", *lists]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


STORIES = [(demo, "Dockerfile"), (bot_core, bot_core.DOCKERFILE), (truthgraph, truthgraph.DOCKERFILE)]
STORIES += [(phentrieve, phentrieve.DOCKERFILE)]


@pytest.mark.parametrize(("module", "dockerfile"), STORIES)
def test_every_story_ends_with_a_green_check_and_untouched_deployments(
    module: ModuleType, dockerfile: str, story: Callable[[ModuleType, str], RepoView], tmp_path: Path
) -> None:
    view = story(module, dockerfile)
    phase = fires(view)
    assert phase.risk is Risk.CHECK
    assert phase.predicted.image_bytes == 0
    assert phase.diff()
    assert all(each.provenance for each in phase.evidence)
    write(view, phase.edits, tmp_path / "after")
    result = check(tmp_path / "after")
    assert result.returncode == 0, result.stdout + result.stderr
    changed = view.with_edits(phase.edits)
    assert isinstance(RULE.propose(changed, {}), Declined)
    before = {
        (each.path, each.where): each for each in view.builds if each.purpose.value in ("deploy", "unknown")
    }
    now = build_references(changed.files, changed.paths)
    for each in now:
        if (each.path, each.where) in before:
            assert each.dockerfile in {old.dockerfile for old in view.builds if old.where == each.where}
    consumers = [
        each for each in now if each.purpose.value in ("test", "scan") and dockerfile in (each.dockerfile,)
    ]
    assert not consumers, "a test or a scan still builds production's image"


def test_the_demo(story: Callable[[ModuleType, str], RepoView]) -> None:
    view = story(demo, "Dockerfile")
    phase = fires(view)
    assert phase.files == (
        "Dockerfile.ci",
        "requirements-ci.txt",
        "ci/check_requirements_ci.py",
        ".github/workflows/image.yml",
        "compose.yaml",
    )
    assert "scipy" not in after(phase, "requirements-ci.txt").partition("starts at")[2]
    old, new = view.files[".github/workflows/image.yml"], after(phase, ".github/workflows/image.yml")
    added = [line for line in new.split("\n") if line not in old.split("\n")]
    assert added == [
        "      - name: Check that requirements-ci.txt follows production",
        "        run: python3 ci/check_requirements_ci.py requirements-ci.txt",
        "        run: docker build -f Dockerfile.ci -t tidewatch:test .",
        "          docker build -f Dockerfile.ci --tag tidewatch:scan .   # nothing is pushed from here",
    ]
    assert "nor scanned" in phase.costs


def test_bot_core_only_the_python_service(story: Callable[[ModuleType, str], RepoView]) -> None:
    view = story(bot_core, bot_core.DOCKERFILE)
    phase = fires(view)
    assert ".github/workflows/docker-build-push.yml" not in phase.files
    scan_file = ".github/workflows/security-scan.yml"
    changed = [
        line for line in after(phase, scan_file).split("\n") if line not in view.files[scan_file].split("\n")
    ]
    assert changed == [
        "          docker build -f python-ai-service/Dockerfile.ci -t python-ai-service ./python-ai-service"
    ]
    matrix = load(after(phase, ".github/workflows/ci-cd.yml"))["jobs"]["build-and-test"]["strategy"]["matrix"]
    assert matrix["include"] == [{"service": "python-ai-service", "dockerfile": "Dockerfile.ci"}]
    assert "!requirements-ci.txt" in after(phase, "python-ai-service/.dockerignore").split("\n")
    listed = after(phase, "python-ai-service/requirements-ci.txt")
    assert "\n-c constraints.txt\n" in listed
    assert "\nnumpy>=1.26.0,<2.4.0\n" in listed, "pandas needs it, and the pin is the constraints'"
    assert phase.choices[0].picked == {"lightgbm", "scikit-learn"}


def test_bahr_has_nobody_who_would_use_it(story: Callable[[ModuleType, str], RepoView]) -> None:
    assert "no workflow or compose service builds it for tests" in reason(story(bahr, bahr.DOCKERFILE))


# -- the choice --------------------------------------------------------------------------------------------

SIZES = census(
    ("fastapi", 1, ()), ("uvicorn", 1, ()), ("torch", 800, ("sympy",)), ("sympy", 70, ()), ("pandas", 90, ())
)


def test_sizes_come_from_the_census() -> None:
    view = replace(view_of(FILES), census=SIZES)
    phase = fires(view)
    (choice,) = phase.choices
    assert choice.multiple
    assert [(each.id, each.image_bytes) for each in choice.options] == [("torch", 870 * MB)]
    assert "870 MB" in phase.why
    assert "870 MB smaller, by the census" in phase.predicted.because
    assert "#   modules left out: sympy torch\n" in after(phase, "requirements-ci.txt")
    assert "MB" not in fires(view_of(FILES)).predicted.because


def test_open_requirements_get_the_installed_version() -> None:
    files = {**FILES, "requirements.txt": "fastapi\nuvicorn[standard]>=0.3 ; python_version>'3'\ntorch\n"}
    view = replace(view_of(files), census=SIZES)
    assert after(fires(view), "requirements-ci.txt").split("\n")[-3:] == [
        "fastapi==1.2.3  # production: fastapi",
        "uvicorn[standard]==1.2.3 ; python_version > \"3\"  # production: uvicorn[standard]>=0.3 ; python_version>'3'",
        "",
    ]
    assert after(fires(view_of(files)), "requirements-ci.txt").split("\n")[-3] == "fastapi"


def test_the_user_ticks() -> None:
    files = {
        **FILES,
        "requirements.txt": "fastapi==1\npandas==2\ntorch==2\n",
        "app/model.py": "def f():\n    import torch, pandas\n",
    }
    view = replace(view_of(files), census=SIZES)
    assert fires(view).choices[0].picked == {"torch", "pandas"}
    phase = fires(view, "pandas")
    assert phase.choices[0].picked == {"pandas"}
    assert after(phase, "requirements-ci.txt").endswith("fastapi==1\ntorch==2\n")
    assert fires(view, "no-such-package").choices[0].picked == {"torch", "pandas"}


def test_a_package_that_the_start_needs_can_be_forced_and_the_price_is_told(tmp_path: Path) -> None:
    view = view_of({**FILES, "app/model.py": "import torch\npredict = torch\n"})
    assert "torch: imported by app/model.py:1 whenever that starts" in reason(view)
    phase = fires(view, "torch")
    assert "app/model.py:1 imports torch: it will not start." in phase.costs
    write(view, phase.edits, tmp_path)
    assert check(tmp_path).returncode == 0


def test_what_the_tests_import_stays() -> None:
    assert "tests/test_a.py:1" in reason(view_of({**FILES, "tests/test_a.py": "import torch\n"}))


# -- names and places --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dockerfile", "variant"),
    [
        ("Dockerfile", "Dockerfile.ci"),
        ("Dockerfile.prod", "Dockerfile.ci"),
        ("Dockerfile.api", "Dockerfile.api.ci"),
        ("docker/api.Dockerfile", "docker/api.ci.Dockerfile"),
        ("Containerfile", "Containerfile.ci"),
    ],
)
def test_the_name_fits(dockerfile: str, variant: str) -> None:
    text = FILES[".github/workflows/ci.yml"].replace("docker build", f"docker build -f {dockerfile}")
    phase = fires(view_of({**FILES, ".github/workflows/ci.yml": text}, dockerfile))
    assert phase.files[0] == variant
    assert f"docker build -f {variant} -t app:test" in after(phase, ".github/workflows/ci.yml")


def test_patterns_of_the_dockerfile_itself_go_with_the_variant() -> None:
    files = {**FILES, "Dockerfile.dockerignore": "*.md\nrequirements-*\n", ".dockerignore": "*\n"}
    phase = fires(view_of(files))
    assert after(phase, "Dockerfile.ci.dockerignore") == "*.md\nrequirements-*\n!requirements-ci.txt\n"
    assert ".dockerignore" not in phase.files


def test_a_test_stage_with_a_list_of_its_own() -> None:
    dockerfile = DOCKERFILE.replace("FROM python:3.12-slim", "FROM python:3.12-slim AS base").replace(
        "CMD",
        "FROM base AS test\nCOPY requirements-dev.txt .\nRUN pip install -r requirements-dev.txt\nFROM base\nCMD",
    )
    files = {
        **FILES,
        "Dockerfile": dockerfile,
        "requirements-dev.txt": "-r requirements.txt\npytest==8.4.2\n",
    }
    phase = fires(view_of(files))
    assert "requirements-dev-ci.txt" in phase.files
    assert after(phase, "requirements-dev-ci.txt").endswith("uvicorn[standard]==0.38.0\npytest==8.4.2\n")
    assert "pip install -r requirements-dev-ci.txt" in after(phase, "Dockerfile.ci")
    workflow = after(phase, ".github/workflows/ci.yml")
    assert "ci/check_requirements_ci.py requirements-ci.txt requirements-dev-ci.txt\n" in workflow


def test_several_builds_of_one_step_and_one_that_cannot_be_changed() -> None:
    workflow = (
        "on: push\njobs:\n  test:\n    steps:\n"
        "      - run: |\n          docker build -t web web\n          docker build -t api .\n"
        "      - uses: docker/build-push-action@v6\n        with: &inputs\n          context: .\n          load: true\n"
        "      - uses: docker/build-push-action@v6\n        with: *inputs\n"
    )
    view = view_of({**FILES, ".github/workflows/ci.yml": workflow, "web/Dockerfile": "FROM x\n"})
    phase = fires(view)
    text = after(phase, ".github/workflows/ci.yml")
    assert text.count("Dockerfile.ci") == 1
    assert "          docker build -t web web\n          docker build -f Dockerfile.ci -t api .\n" in text
    assert "is left as it is: the edit would also change" in phase.why


def test_without_a_workflow_the_check_is_named() -> None:
    files = {path: text for path, text in FILES.items() if not path.startswith(".github")}
    phase = fires(view_of({**files, "compose.yaml": "services:\n  tests:\n    build: .\n"}))
    assert "run `python3 ci/check_requirements_ci.py requirements-ci.txt` before building" in phase.why


# -- declining ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"requirements-ci.txt": "fastapi\n"},
            "requirements-ci.txt exists already and is not what would be generated",
        ),
        ({"requirements.txt": "-r missing.txt\n"}, "missing.txt"),
        ({"Dockerfile": DOCKERFILE.replace("requirements.txt", "$LIST")}, "no file of the repository"),
        ({"Dockerfile": "FROM python:3.12-slim\nCOPY . .\nRUN uv sync\n", "uv.lock": ""}, "uv.lock"),
        (
            {"Dockerfile": "FROM python:3.12-slim\nRUN pip install torch==2\n"},
            "the Dockerfile itself names torch",
        ),
    ],
)
def test_reasons(files: dict[str, str], said: str) -> None:
    assert said in reason(view_of({**FILES, **files}))


def test_nothing_is_heavy() -> None:
    view = view_of({**FILES, "requirements.txt": "fastapi\n"})
    assert "build the baseline" in reason(view)
    assert "none of its requirements is heavy" in reason(
        replace(view, census=census(("fastapi", 5, ()), ("pip", 9, ())))
    )


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        ("torch\n", "without torch, which is known"),
        ("torch\nscipy\n", "without torch, scipy, which are known"),
    ],
)
def test_one_package_and_several_are_told_of_in_their_grammar(requirements: str, said: str) -> None:
    code = "def fit():\n    import torch, scipy\n"
    files = {**FILES, "requirements.txt": f"fastapi\n{requirements}", "app/model.py": code}
    assert said in fires(view_of(files)).why


def test_what_is_heavy_once_the_heaviest_is_gone() -> None:
    """Beside PyTorch and its CUDA, in the project that was studied, scipy weighed 2 %."""
    files = {
        **FILES,
        "requirements.txt": "fastapi\ntorch\nlightgbm\nscikit-learn\n",
        "app/model.py": "def fit():\n    import torch, lightgbm, sklearn\n",
    }
    packages = census(
        ("fastapi", 20, ()),
        ("torch", 6_000, ()),
        ("lightgbm", 9, ("scipy",)),
        ("scikit-learn", 40, ("scipy",)),
        ("scipy", 110, ()),
    )
    text = after(fires(replace(view_of(files), census=packages)), "requirements-ci.txt")
    assert [line.partition("=")[0] for line in text.splitlines() if not line.startswith("#")] == ["fastapi"]


def test_the_variant_itself() -> None:
    assert "is a CI variant itself" in reason(
        view_of({**FILES, "Dockerfile.ci": DOCKERFILE}, "Dockerfile.ci")
    )


def test_a_list_kept_by_hand_that_drifted_is_named() -> None:
    """As it went in a project that was studied: a version first, then a package that was missing."""
    files = {
        **FILES,
        "Dockerfile.ci": DOCKERFILE.replace("requirements.txt", "requirements-ci.txt"),
        "requirements.txt": "fastapi==0.121.2\ncelery==5.5.3\ntorch==2.9.1\n",
        "requirements-ci.txt": "fastapi==0.120.0\n",
        "app/model.py": "import celery\n",
    }
    said = reason(view_of(files))
    assert "Dockerfile.ci exists already" in said
    assert "requirements-ci.txt:1 has fastapi==0.120.0, production fastapi==0.121.2" in said
    assert "celery is missing, which app/model.py:1 imports" in said


def test_of_a_generated_one_another_rule_tells() -> None:
    view = view_of(FILES)
    applied = view.with_edits(fires(view).edits)
    text = applied.files["requirements.txt"].replace("0.121.2", "0.122.0")
    assert (
        reason(applied.with_edits([FileEdit("requirements.txt", None, text)]))
        == "Dockerfile.ci exists already"
    )


def test_the_check_is_short_enough_to_read_and_needs_nothing() -> None:
    text = after(fires(view_of(FILES)), "ci/check_requirements_ci.py")
    assert text.count("\n") < 250
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported <= sys.stdlib_module_names


# -- build tools -------------------------------------------------------------------------------------------


def test_compilers_stay_out_where_every_package_comes_built(
    story: Callable[[ModuleType, str], RepoView],
) -> None:
    view = measured(story(bot_core, bot_core.DOCKERFILE))
    phase = fires(view)
    text = after(phase, "python-ai-service/Dockerfile.ci")
    header, _, rest = text.partition("\n\n")
    assert header.startswith(
        "# Dockerfile for CI: requirements-ci.txt in place of requirements.txt.\n# Without gcc, g++,"
    )
    assert "install them again as Dockerfile does" in " ".join(header.split("\n# "))
    assert rest.startswith(
        "# Two stages: compilers stay behind in the builder\nFROM python:3.11-slim AS builder\n\nRUN python -m venv"
    )
    assert rest.count("apt-get") == 2, "the image itself installs libgomp1 as before"
    assert "goes without gcc, g++, make, cmake and git: no package of the light list is compiled" in phase.why
    lines = {(each.path, each.text.strip(" \\")) for each in phase.evidence}
    assert {(bot_core.DOCKERFILE, tool) for tool in ("gcc", "cmake", "git")} <= lines


def test_a_package_that_is_compiled_keeps_the_compilers(
    story: Callable[[ModuleType, str], RepoView],
) -> None:
    view = measured(story(bot_core, bot_core.DOCKERFILE), "uvloop")
    phase = fires(view)
    assert "    gcc \\\n" in after(phase, "python-ai-service/Dockerfile.ci")
    assert "git: still installed in python-ai-service/Dockerfile.ci, since uvloop is compiled" in phase.why


def test_what_is_left_out_may_be_compiled(story: Callable[[ModuleType, str], RepoView]) -> None:
    view = measured(story(bot_core, bot_core.DOCKERFILE), "lightgbm")
    assert "cmake" not in after(fires(view), "python-ai-service/Dockerfile.ci").partition("\n\n")[2]


def test_nothing_is_stripped_and_what_strips_is_not_installed(
    story: Callable[[ModuleType, str], RepoView],
) -> None:
    """Every phase that comes before has changed the builder: mounts for apt, strip, a program that prunes."""
    view = story(bot_core, bot_core.DOCKERFILE)
    for rule in all_rules():
        answer = rule.propose(view, {})
        if isinstance(answer, Phase) and answer.risk is not Risk.ASK and rule.order < RULE.order:
            view = view.with_edits(answer.edits)
    assert "strip --strip-unneeded" in view.files[bot_core.DOCKERFILE]
    light = after(fires(measured(view)), "python-ai-service/Dockerfile.ci")
    assert "# Nothing is stripped" in light
    builder = light.partition("\nFROM ")[2].partition("\nFROM ")[0]
    assert "strip --strip-unneeded" not in builder
    assert "apt-get" not in builder
