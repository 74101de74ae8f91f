"""Which files of the repository the installs of a Dockerfile read."""

import pytest

from phasewise.model.python.installs import Install, installs
from phasewise.model.repo import RepoView, Target

PATHS = (
    "requirements.txt",
    "requirements/prod.txt",
    "api/requirements.txt",
    "pyproject.toml",
    "api/pyproject.toml",
)


def view_of(dockerfile: str, context: str = ".") -> RepoView:
    files = dict.fromkeys(PATHS, "") | {"Dockerfile": dockerfile}
    return RepoView(Target("Dockerfile", context), files, frozenset(files))


def only(body: str, context: str = ".") -> Install:
    (found,) = installs(view_of(f"FROM python:3.12-slim\nWORKDIR /srv\n{body}", context))
    return found


@pytest.mark.parametrize(
    ("body", "path", "renamed"),
    [
        ("COPY requirements.txt .\nRUN pip install -r requirements.txt\n", "requirements.txt", False),
        (
            "COPY requirements.txt /srv\nRUN pip3 install --requirement=/srv/requirements.txt\n",
            "requirements.txt",
            False,
        ),
        ("COPY requirements.txt /tmp/r.txt\nRUN pip install -r/tmp/r.txt\n", "requirements.txt", True),
        (
            'COPY ["requirements.txt", "./"]\nRUN python3.12 -m pip install -r ./requirements.txt\n',
            "requirements.txt",
            False,
        ),
        ("COPY . .\nRUN uv pip install --system -r requirements/prod.txt\n", "requirements/prod.txt", False),
        (
            "COPY api /srv/api\nRUN /opt/venv/bin/pip install -r api/requirements.txt\n",
            "api/requirements.txt",
            False,
        ),
        ("COPY requirements*.txt ./\nRUN pip install -r requirements.txt\n", "requirements.txt", False),
        (
            "ADD requirements.txt ./\nRUN FOO=1 pip install --no-cache-dir -i https://x -r requirements.txt\n",
            "requirements.txt",
            False,
        ),
        ("ARG F=requirements.txt\nCOPY $F ./\nRUN pip install -r ${F}\n", "requirements.txt", False),
        (
            "RUN --mount=type=bind,source=requirements.txt,target=r.txt pip install -r r.txt\n",
            "requirements.txt",
            True,
        ),
        (
            "RUN --mount=type=bind,target=/ctx pip install -r /ctx/requirements.txt\n",
            "requirements.txt",
            False,
        ),
        (
            "COPY requirements.txt ./\nRUN <<EOF\nset -e\npip install -r requirements.txt\nEOF\n",
            "requirements.txt",
            False,
        ),
    ],
)
def test_a_requirements_file(body: str, path: str, renamed: bool) -> None:
    install = only(body)
    (source,) = install.sources
    assert (source.path, source.key, source.is_project) == (path, path, False)
    assert source.origin.renamed is renamed
    assert not install.unknown
    assert not install.named


def test_paths_are_relative_to_the_context() -> None:
    (source,) = only("COPY requirements.txt .\nRUN pip install -r requirements.txt\n", "api").sources
    assert source.path == "api/requirements.txt"


def test_a_stage_inherits_what_its_base_copied() -> None:
    text = (
        "FROM python:3.12-slim AS base\nWORKDIR /a\nCOPY requirements.txt ./\n"
        "FROM base\nRUN pip install -r requirements.txt\n"
        "FROM python:3.12-slim\nRUN pip install -r requirements.txt\n"
    )
    first, second = installs(view_of(text))
    assert [source.path for source in first.sources] == ["requirements.txt"]
    assert second.unknown == ("requirements.txt",)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("pip install .", "pyproject.toml"),
        ('pip install ".[ml,api]"', "pyproject.toml[ml,api]"),
        ("pip install -e .[ml]", "pyproject.toml[ml]"),
        ("pip install ./api", "api/pyproject.toml"),
        ("pip install /srv/api[x]", "api/pyproject.toml[x]"),
        ('extras="ml"; [ -z "$D" ] || extras="ml,dev"; pip install ".[${extras}]"', "pyproject.toml[ml,dev]"),
    ],
)
def test_a_project(command: str, key: str) -> None:
    (source,) = only(f"COPY . .\nRUN {command}\n").sources
    assert source.is_project
    assert source.key == key


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r $UNKNOWN",
        "pip install -r missing.txt",
        "pip install .[$UNKNOWN]",
        "pip install -r pyproject.toml",
    ],
)
def test_what_cannot_be_found_is_unknown(command: str) -> None:
    install = only(f"COPY . .\nRUN {command}\n")
    assert not install.sources
    assert install.unknown


def test_packages_named_in_the_command() -> None:
    install = only(
        "RUN pip install --index-url https://x torch==2.9.1 'uvicorn[standard]' ./a.whl --upgrade\n"
    )
    assert [word.value for word in install.named] == ["torch==2.9.1", "uvicorn[standard]"]


@pytest.mark.parametrize(
    "command",
    ["apt-get install -y python3-pip", "pip download -r requirements.txt", "npm install", "pip --version"],
)
def test_other_commands_are_no_installs(command: str) -> None:
    assert not installs(view_of(f"FROM python:3.12-slim\nCOPY . .\nRUN {command}\n"))


def test_a_project_without_its_dependencies_asks_for_nothing() -> None:
    install = only("COPY . .\nRUN pip install --no-deps .\n")
    assert not install.sources
    assert not install.unknown
