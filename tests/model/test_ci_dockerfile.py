"""A CI Dockerfile is production's with a few words changed; the installs still work."""

import pytest

from phasewise.model.ci.light_dockerfile import NotDerivable, derive, headed
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.repo import RepoView, Target

LISTS = {
    "requirements.txt": "requirements-ci.txt",
    "pyproject.toml[ml]": "requirements-ci.txt",
    "pyproject.toml": "requirements-ci.txt",
    "api/requirements.txt": "api/requirements-ci.txt",
}
PATHS = ("requirements.txt", "pyproject.toml", "api/requirements.txt", "constraints.txt")


def derived(body: str, top: str = "FROM python:3.12-slim\nWORKDIR /srv\n") -> tuple[str, tuple[str, ...]]:
    """The text below `top`, and the dropped commands."""
    files = dict.fromkeys(PATHS, "") | {"Dockerfile": f"{top}{body}"}
    view = RepoView(Target("Dockerfile"), files, frozenset(files))
    found = derive(view, LISTS, ("torch", "spacy"), ("torch", "spacy"))
    Dockerfile.parse(found.text)
    assert found.text.startswith(top)
    return found.text.removeprefix(top), found.dropped


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "COPY requirements.txt constraints.txt ./\n"
            "RUN pip install -r requirements.txt -c constraints.txt && rm -rf x\n",
            "COPY requirements-ci.txt constraints.txt ./\n"
            "RUN pip install -r requirements-ci.txt -c constraints.txt && rm -rf x\n",
        ),
        (
            'COPY --link "./requirements.txt" \'/tmp/requirements.txt\'\nRUN pip install -r "/tmp/requirements.txt"\n',
            "COPY --link \"./requirements-ci.txt\" '/tmp/requirements.txt'\n"
            'RUN pip install -r "/tmp/requirements.txt"\n',
        ),
        (
            "COPY . .\nRUN pip install --requirement=./requirements.txt # all\n",
            "COPY . .\nRUN pip install --requirement=./requirements-ci.txt # all\n",
        ),
        (
            "RUN --mount=type=cache,target=/root/.cache"
            " --mount=type=bind,source=requirements.txt,target=requirements.txt \\\n"
            "    pip install -r requirements.txt\n",
            "RUN --mount=type=cache,target=/root/.cache"
            " --mount=type=bind,source=requirements-ci.txt,target=requirements.txt \\\n"
            "    pip install -r requirements.txt\n",
        ),
        (
            'COPY ["requirements.txt", "./"]\nRUN ["pip", "install", "-r", "requirements.txt"]\n',
            'COPY ["requirements-ci.txt", "./"]\nRUN ["pip", "install", "-r", "requirements-ci.txt"]\n',
        ),
        (
            "COPY api/ api/\nRUN uv pip install -r api/requirements.txt\n",
            "COPY api/ api/\nRUN uv pip install -r api/requirements-ci.txt\n",
        ),
        (
            "COPY . .\nRUN <<EOF\nset -e\n# deps\npip install -r requirements.txt\nEOF\n",
            "COPY . .\nRUN <<EOF\nset -e\n# deps\npip install -r requirements-ci.txt\nEOF\n",
        ),
    ],
)
def test_lists_are_swapped(body: str, expected: str) -> None:
    assert derived(body) == (expected, ())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pip install .", "pip install -r requirements-ci.txt \\\n    && pip install --no-deps ."),
        (
            'pip install --no-cache-dir -e ".[ml]" && rm x',
            "pip install --no-cache-dir -r requirements-ci.txt \\\n"
            '    && pip install --no-cache-dir --no-deps -e ".[ml]" && rm x',
        ),
        (
            "set -e; pip install .; rm x",
            "set -e; (pip install -r requirements-ci.txt \\\n    && pip install --no-deps .); rm x",
        ),
        (
            "pip install . || true",
            "(pip install -r requirements-ci.txt \\\n    && pip install --no-deps .) || true",
        ),
        (
            "A=1 pip install /srv[ml]",
            "A=1 pip install -r /srv/requirements-ci.txt \\\n    && A=1 pip install --no-deps /srv[ml]",
        ),
    ],
)
def test_a_project_comes_after_its_list(command: str, expected: str) -> None:
    assert derived(f"COPY . .\nRUN {command}\n")[0] == f"COPY . .\nRUN {expected}\n"


def test_the_list_is_copied_beside_the_project() -> None:
    body = "COPY pyproject.toml README.md ./\nRUN pip install .\n"
    assert derived(body)[0].startswith("COPY pyproject.toml requirements-ci.txt README.md ./\n")
    body = 'COPY ["./pyproject.toml", "/srv/"]\nRUN pip install .\n'
    assert derived(body)[0].startswith('COPY ["./pyproject.toml", "./requirements-ci.txt", "/srv/"]\n')


@pytest.mark.parametrize(
    "body",
    [
        "COPY . .\nRUN pip install . -r requirements.txt\n",
        'COPY . .\nRUN ["pip", "install", "."]\n',
        "RUN --mount=type=bind,source=pyproject.toml,target=pyproject.toml pip install .\n",
    ],
)
def test_what_cannot_be_split_is_refused(body: str) -> None:
    with pytest.raises(NotDerivable):
        derived(body)


def test_named_packages_and_commands_that_need_them_go() -> None:
    body = (
        "COPY requirements.txt .\n"
        "# models\n"
        "RUN pip install torch==2.9.1 --index-url https://example.org/cpu\n"
        "RUN pip install torch==2.9.1 gunicorn && pip install -r requirements.txt \\\n"
        "    && python -m spacy download en_core_web_sm\n"
        "RUN python -c 'import torch; torch.hub.load()' && python -m compileall app\n"
        "RUN python -c 'import json'\n"
    )
    text, dropped = derived(body)
    assert text == (
        "COPY requirements-ci.txt .\n"
        "RUN pip install gunicorn && pip install -r requirements-ci.txt\n"
        "RUN python -m compileall app\n"
        "RUN python -c 'import json'\n"
    )
    assert len(dropped) == 3


def test_the_header_stands_below_the_directives() -> None:
    top = "# syntax=docker/dockerfile:1\n# escape=\\\n"
    files = {"requirements.txt": "", "Dockerfile": f"{top}# ours\nFROM x\nCOPY requirements.txt .\n"}
    view = RepoView(Target("Dockerfile"), files, frozenset(files))
    text = headed(derive(view, LISTS, (), ()).text, view, LISTS, ("gcc", "git"))
    assert "# Without gcc and git: all packages of the list come built." in text
    assert text.startswith(f"{top}# Dockerfile for CI: ")
    assert Dockerfile.parse(text).directives == {"syntax": "docker/dockerfile:1", "escape": "\\"}


def test_line_ends_and_byte_order_mark_stay() -> None:
    source = "\ufeffFROM x\r\nCOPY requirements.txt .\r\nRUN pip install -r requirements.txt\r\n"
    files = {"requirements.txt": "", "Dockerfile": source}
    view = RepoView(Target("Dockerfile"), files, frozenset(files))
    text = headed(derive(view, LISTS, (), ()).text, view, LISTS, ())
    assert text.startswith("\ufeff# Dockerfile for CI")
    assert text.count("\n") == text.count("\r\n") == source.count("\n") + 3
