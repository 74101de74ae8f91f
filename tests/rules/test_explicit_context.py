"""The completed ignore file: what is left out, what stays and why, which file it is, and named copies."""

from __future__ import annotations

import dockerfile as buildkit
import pytest
from asking import Asking, repository

from phasewise.model.builds.dockerignore import is_ignored
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import BuildReference, Purpose, RepoView, Target
from phasewise.rules.explicit_context import ExplicitContext
from phasewise.rules.prune_site_packages import PruneSitePackages

RULE = ExplicitContext()
ALL = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n"
FILES = {
    "Dockerfile": ALL,
    "app/main.py": "",
    "docs/index.md": "",
    "tests/test_app.py": "",
    "README.md": "",
    "CHANGELOG.md": "",
    ".github/workflows/ci.yml": "on: push\n",
}


def view(*builds: BuildReference, target: Target | None = None, **changes: str) -> RepoView:
    """FILES with some changed; `__` stands for a slash and `_dot_` for a dot."""
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in changes.items()}
    files = {**FILES, **named}
    return RepoView(target or Target("Dockerfile"), files, frozenset(files), builds=builds)


reason = Asking(RULE, view).reason


def phase(seen: RepoView, **picks: str) -> Phase:
    answer = RULE.propose(seen, {name: frozenset(value.split()) for name, value in picks.items()})
    assert isinstance(answer, Phase), answer
    return answer


def ignored(seen: RepoView, **picks: str) -> str:
    """The ignore file after the phase."""
    done = seen.with_edits(phase(seen, **picks).edits)
    if not picks:
        assert isinstance(RULE.propose(done, {}), Declined)
    (path,) = [path for path in phase(seen, **picks).files if path.endswith(".dockerignore")]
    return done.files[path]


def comes_in(seen: RepoView, path: str) -> bool:
    return not is_ignored(ignored(seen), path)


def build(dockerfile: str, context: str = ".", purpose: Purpose = Purpose.UNKNOWN) -> BuildReference:
    return BuildReference("ci.yml", 1, "docker build", dockerfile, context, None, purpose, "jobs")


def test_what_nothing_reads_is_left_out() -> None:
    for path in ("docs/index.md", "tests/test_app.py", "README.md", ".github/workflows/ci.yml", "Dockerfile"):
        assert not comes_in(view(), path), path
    for path in (".git/config", ".venv/bin/python", "app/__pycache__/main.pyc", ".env", ".pytest_cache/x"):
        assert not comes_in(view(), path), path
    assert comes_in(view(), "app/main.py")


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({"app__main_dot_py": "open('docs/index.md')"}, "docs/index.md"),
        ({"app__main_dot_py": "HERE / 'docs' / name"}, "docs/index.md"),
        ({"app__main_dot_py": "open(f'{HERE}/docs/{name}')"}, "docs/index.md"),
        ({"app__main_dot_py": "open('/app/docs/index.md')"}, "docs/index.md"),
        ({"app__main_dot_py": "open('../docs/index.md')"}, "docs/index.md"),
        ({"app__main_dot_py": "from tests import factories"}, "tests/test_app.py"),
        ({"app__main_dot_py": "import tests.factories"}, "tests/test_app.py"),
        ({"app__main_dot_py": "Path('.').glob('*.md')"}, "CHANGELOG.md"),
        ({"pyproject_dot_toml": '[project]\nreadme = "README.md"\n'}, "README.md"),
        ({"pyproject_dot_toml": '[project]\nreadme = {file = "README.md"}\n'}, "README.md"),
        ({"pyproject_dot_toml": '[tool.poetry]\nreadme = ["README.md", "CHANGELOG.md"]\n'}, "CHANGELOG.md"),
        ({"pyproject_dot_toml": '[tool.setuptools.dynamic]\nreadme = {file = "README.md"}\n'}, "README.md"),
        ({"setup_dot_py": "setup(long_description=open('README.md').read())"}, "README.md"),
        ({"setup_dot_cfg": "[metadata]\nlong_description = file: README.md\n"}, "README.md"),
        ({"MANIFEST_dot_in": "include README.md\nrecursive-include docs *\n"}, "docs/index.md"),
        ({"pyproject_dot_toml": '[tool.hatch.build.force-include]\n"docs" = "app/docs"\n'}, "docs/index.md"),
        ({"pyproject_dot_toml": '[tool.hatch.build]\ninclude = ["/docs"]\n'}, "docs/index.md"),
        ({"app__settings_dot_yaml": "pages: docs\n"}, "docs/index.md"),
        ({"app__settings_dot_json": '{"pages": "docs/index.md"}\n'}, "docs/index.md"),
        ({"_dot_env_dot_example": "PAGES=docs\n"}, "docs/index.md"),
        ({"app__page_dot_html": "{% include 'docs/index.md' %}"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}RUN cp -r docs /srv\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}RUN mkdocs build\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}RUN <<EOF\ncp -r ./docs /srv\nEOF\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}CMD ./start.sh\n", "start_dot_sh": "cat docs/index.md\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}COPY docs /docs\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}COPY docs/*.md /docs/\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}ADD CHANGELOG.md /\n"}, "CHANGELOG.md"),
        ({"Dockerfile": f"{ALL}COPY .env /\n"}, ".env"),
        ({"Dockerfile": f"{ALL}COPY .venv /opt/venv\n"}, ".venv/bin/python"),
        ({"Dockerfile": f"{ALL}RUN --mount=type=bind,source=docs,target=/d ls /d\n"}, "docs/index.md"),
        ({"Dockerfile": f"{ALL}RUN --mount=type=bind,source=.git,target=.git make\n"}, ".git/HEAD"),
        ({"Dockerfile": f"{ALL}RUN pytest\n"}, "tests/test_app.py"),
        ({"Dockerfile": f"{ALL}CMD python manage.py test\n"}, "tests/test_app.py"),
        ({"Dockerfile": f'{ALL}CMD ["python", "manage.py", "test"]\n'}, "tests/test_app.py"),
        ({"Dockerfile": f"{ALL}RUN pip install pytest\n"}, "tests/test_app.py"),
        ({"compose_dot_yml": "services:\n  t:\n    command: pytest -q\n"}, "tests/test_app.py"),
        ({"Makefile": "test:\n\tdocker compose run api pytest\n"}, "tests/test_app.py"),
        ({"_dot_github__workflows__ci_dot_yml": "run: docker run x pytest\n"}, "tests/test_app.py"),
        ({"Dockerfile": f"{ALL}RUN git rev-parse HEAD > /version\n"}, ".git/HEAD"),
        ({"pyproject_dot_toml": '[build-system]\nrequires = ["setuptools-scm"]\n'}, ".git/HEAD"),
        ({"pyproject_dot_toml": '[tool.hatch.version]\nsource = "vcs"\n'}, ".git/HEAD"),
        ({"app__main_dot_py": "subprocess.run(['git', 'describe'])"}, ".git/HEAD"),
        ({"Dockerfile_dot_ci": "FROM python:3.12\nCOPY tests /tests\n"}, "tests/test_app.py"),
        (
            {"docker__ci_dot_Dockerfile": "FROM python:3.12\nCOPY app app\nCOPY tests tests\n"},
            "tests/test_app.py",
        ),
        ({"_dot_env": "KEY=1\n"}, ".env"),
        ({"_dot_venv__bin__run": "x"}, ".venv/bin/run"),
    ],
)
def test_what_is_wanted_stays(changes: dict[str, str], stays: str) -> None:
    assert comes_in(view(**changes), stays)


@pytest.mark.parametrize(
    "changes",
    [
        {"app__main_dot_py": "app = FastAPI(docs_url='/docs')"},
        {
            "pyproject_dot_toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n[tool.ruff]\nexclude = ["docs"]\n'
        },
        {"pyproject_dot_toml": '[tool.setuptools.packages.find]\nexclude = ["tests", "docs"]\n'},
        {"setup_dot_py": "setup(packages=find_packages(exclude=['tests', 'docs']))"},
        {"setup_dot_cfg": "[tool:pytest]\ntestpaths = tests\n[flake8]\nexclude = docs\n"},
        {"MANIFEST_dot_in": "prune docs\nprune tests\n"},
        {"tests__test_app_dot_py": "open('docs/index.md')"},
        {"app__test_main_dot_py": "open('docs/index.md')"},
        {"mkdocs_dot_yml": "docs_dir: docs\n"},
        {"app__words_dot_yaml": "note: see the docs for what tests are\n"},
        {"Dockerfile": f"# COPY docs\n{ALL}RUN pip install -r requirements.txt\n"},
        {"other__Dockerfile": "FROM python:3.12\nCOPY docs docs\n", "other__docs__a_dot_md": ""},
        {"noxfile_dot_py": "session.run('pytest', 'tests')"},
    ],
)
def test_what_is_mentioned_but_not_read_is_left_out(changes: dict[str, str]) -> None:
    assert not comes_in(view(**changes), "docs/index.md")
    assert not comes_in(view(**changes), "tests/test_app.py")


def test_tests_that_stay_keep_what_they_read() -> None:
    seen = view(
        build("Dockerfile", purpose=Purpose.TEST),
        ci_dot_yml="docker build\n",
        tests__test_app_dot_py="def test(): open('CHANGELOG.md')\n",
    )
    assert comes_in(seen, "tests/test_app.py")
    assert comes_in(seen, "CHANGELOG.md")
    assert not comes_in(seen, "README.md")
    assert (
        "tests (ci.yml:1)"
        in phase(view(build("Dockerfile", purpose=Purpose.TEST), ci_dot_yml="docker build\n")).why
    )


def test_what_is_taken_back_stays() -> None:
    text = ".git\n.venv\ndocs\n!docs/index.md\n"
    assert comes_in(view(_dot_dockerignore=text), "docs/index.md")
    assert ignored(view(_dot_dockerignore=text)).startswith(f"{text}\n# Not needed in the image\n")


def test_line_ends_and_a_missing_last_newline() -> None:
    after = ignored(view(_dot_dockerignore=".git\r\n.venv"))
    assert after.startswith(".git\r\n.venv\r\n\r\n# Not needed in the image\r\n")
    assert after.count("\n") == after.count("\r\n")


def test_the_file_of_this_dockerfile_replaces_the_other() -> None:
    seen = view(Dockerfile_dot_dockerignore=".git\n", _dot_dockerignore="*\n!app\n")
    assert phase(seen).files == ("Dockerfile.dockerignore",)


def test_another_dockerfile_with_a_file_of_its_own_does_not_count() -> None:
    other = "FROM python:3.12\nCOPY docs docs\n"
    assert not comes_in(
        view(Dockerfile_dot_ci=other, Dockerfile_dot_ci_dot_dockerignore=".git\n"), "docs/index.md"
    )


def test_a_context_below_the_root() -> None:
    seen = view(
        target=Target("api/Dockerfile", context="api"),
        api__Dockerfile=ALL,
        api__main_dot_py="",
        api__tests__test_a_dot_py="",
        _dot_gitignore="node_modules/\nmodels/\n/data/\n",
    )
    assert phase(seen).files == ("api/.dockerignore",)
    lines = ignored(seen).splitlines()
    assert "tests" in lines
    assert "models" in lines
    assert ".git" not in lines
    assert "**/node_modules" not in lines


def test_data_that_git_ignores_stays_when_code_names_it() -> None:
    seen = view(_dot_gitignore="models/\ndata/\n", app__main_dot_py="load('models/best.pt')\n")
    assert comes_in(seen, "models/best.pt")
    assert not comes_in(seen, "data/raw.csv")


def test_a_dockerfile_of_another_context_does_not_count() -> None:
    other = {"web__Dockerfile": "FROM node\nCOPY tests tests\n", "web__tests__a_dot_js": ""}
    assert not comes_in(view(build("web/Dockerfile", "web"), **other), "tests/test_app.py")


def test_groups_can_be_left_in() -> None:
    assert "docs" not in ignored(view(), leave_out="history tests").splitlines()
    assert isinstance(RULE.propose(view(), {"leave_out": frozenset()}), Declined)


def test_bytes_are_those_of_the_tracked_files() -> None:
    seen = view()
    sizes = dict.fromkeys(seen.paths, 1000) | {"docs/film.mp4": 5_000_000, "app/data.bin": 7_000_000}
    seen = RepoView(seen.target, seen.files, seen.paths | {"docs/film.mp4", "app/data.bin"}, sizes=sizes)
    found = phase(seen)
    assert found.predicted.image_bytes == -5_006_000
    assert "9 come in (12 MB); 2 will (7 MB)" in found.why
    options = {option.id: option.image_bytes for option in found.choices[0].options}
    assert options["documentation"] == 5_003_000
    assert options["history"] is None
    assert phase(view()).choices[0].options[0].image_bytes is None


def test_a_builder_that_takes_all_promises_no_smaller_image() -> None:
    text = (
        f"{ALL.replace('slim', 'slim AS builder')}FROM python:3.12-slim\nCOPY --from=builder /app/app /app\n"
    )
    assert phase(view(Dockerfile=text)).predicted.image_bytes is None


def test_named_copies() -> None:
    text = f"{ALL.replace('COPY . .', 'COPY --link --chown=1:1 . /srv/')}CMD python\n"
    seen = view(Dockerfile=text, main_dot_py="", alembic_dot_ini="", alembic__env_dot_py="")
    after = seen.with_edits(phase(seen, copies="name").edits).files["Dockerfile"]
    assert "COPY --link --chown=1:1 alembic.ini main.py /srv/\n" in after
    assert "COPY --link --chown=1:1 alembic /srv/alembic\nCOPY --link --chown=1:1 app /srv/app\n" in after
    assert "docs" not in after
    ours = [(i.keyword, i.line) for i in Dockerfile.parse(after).instructions]
    assert ours == [(command.cmd.upper(), command.start_line) for command in buildkit.parse_string(after)]
    assert "has to be added" in phase(seen, copies="name").costs


@pytest.mark.parametrize(
    "dockerfile",
    [ALL.replace("COPY . .", "ADD . ."), ALL.replace("COPY . .", "RUN --mount=type=bind,target=/c ls /c")],
)
def test_copies_that_cannot_be_named(dockerfile: str) -> None:
    assert [choice.id for choice in phase(view(Dockerfile=dockerfile)).choices] == ["leave_out"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Dockerfile": "FROM a\nCOPY app app\n"}, "every COPY names what it takes"),
        ({"Dockerfile": f"{ALL.replace('slim', 'slim AS other')}FROM b\nCOPY app app\n"}, "every COPY names"),
        ({"_dot_dockerignore": "# all\n**\n!app/**\n"}, ".dockerignore leaves out everything"),
        ({"Dockerfile": f"ARG X\n{ALL}ARG Y\nCOPY $Y /y\n"}, "what $Y in line 6 of Dockerfile stands for"),
        (
            {"ci_dot_Dockerfile": "COPY before FROM\n"},
            "ci.Dockerfile may share the build context and cannot be read",
        ),
    ],
)
def test_declines_with_the_reason(changes: dict[str, str], said: str) -> None:
    assert said in reason(view(**changes))


def test_caches_alone_are_worth_no_commit() -> None:
    files = {"Dockerfile": ALL, "app.py": "", ".dockerignore": ".git\n.venv\n.env\nDockerfile\n"}
    assert "kept out by .dockerignore already" in reason(repository(files))


NODE = "FROM node:22\nCOPY . .\nRUN npm ci\n"


def test_node_modules_stay_out_where_the_image_installs_its_own() -> None:
    assert "**/node_modules" in ignored(view(Dockerfile=NODE, package_dot_json="{}")).splitlines()


@pytest.mark.parametrize(
    "changes",
    [
        {"Dockerfile": ALL},
        {"Dockerfile": f"{NODE}COPY node_modules ./node_modules\n"},
        {"docker__Dockerfile": ALL, "compose_dot_yml": "services: {}\n"},
        {"web__package_dot_json": "{}"},
        {"_dot_dockerignore": "node_modules\n"},
        {"node_modules__x__index_dot_js": ""},
    ],
)
def test_node_modules_come_in_where_they_may_be_wanted(changes: dict[str, str]) -> None:
    built = BuildReference(
        "compose.yml", 1, "", "docker/Dockerfile", ".", None, Purpose.UNKNOWN, "services.x"
    )
    builds = (built,) if "docker__Dockerfile" in changes else ()
    seen = view(*builds, **{"Dockerfile": NODE, "package_dot_json": "{}", **changes})
    assert "**/node_modules" not in ignored(seen).splitlines()


def test_a_tracked_env_file_is_told_of() -> None:
    assert "copied with the rest: .env." in phase(view(_dot_env="A=1\n")).why
    assert ".env" not in phase(view()).why
    assert ".env" not in phase(view(_dot_env="A=1\n", _dot_dockerignore=".env\n")).why


def test_a_prune_of_an_environment_reads_nothing_of_the_context() -> None:
    builder = (
        "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n"
        "RUN /opt/venv/bin/pip install numpy\n"
    )
    seen = view(Dockerfile=f"{builder}{ALL}COPY --from=builder /opt/venv /opt/venv\n")
    pruned = PruneSitePackages().propose(seen, {})
    assert isinstance(pruned, Phase), pruned
    done = seen.with_edits(pruned.edits)
    assert "/tests?/" in done.files["Dockerfile"]
    assert not comes_in(done, "tests/test_app.py")
