"""The order of installs and code: what moves, what must not, and that nothing else changes."""

from __future__ import annotations

import dockerfile as buildkit
import pytest
from asking import Asking

from phasewise.model.phase import Phase
from phasewise.model.repo import RepoView, Target
from phasewise.rules.dependencies_first import DependenciesFirst
from phasewise.rules.explicit_context import ExplicitContext

RULE = DependenciesFirst()
HEAD = "FROM python:3.12-slim\nWORKDIR /app\n"
INSTALL = "RUN pip install -r requirements.txt\n"
FILES = {"requirements.txt": "idna\n", "app.py": "", "lib/x.py": "", "pip.conf": ""}
UV = '[project]\nname = "x"\ndependencies = ["idna"]\n'


def view(
    text: str, files: dict[str, str] | None = None, context: str = ".", path: str = "Dockerfile"
) -> RepoView:
    texts = {**FILES, **(files or {}), path: text}
    return RepoView(Target(path, context=context), texts, frozenset(texts))


ask = Asking(RULE, view)
after, reason = ask.after, ask.reason


@pytest.mark.parametrize(
    ("between", "why"),
    [
        ("RUN chown -R app /app\n", "may read the code"),
        ("RUN ./configure.sh\n", "may read the code"),
        ("RUN cd lib && pip install idna\n", "may read the code"),
        ('RUN ["sh", "x.sh"]\n', "may read the code"),
        ("WORKDIR /app/lib\n", "WORKDIR stands between"),
        ("VOLUME /app\n", "VOLUME stands between"),
        ("COPY pip.conf ./pip.conf\n", "to where the code goes"),
        ("COPY --from=busybox /x /app/lib\n", "to where the code goes"),
        ("ADD https://example.org/x /app/\n", "to where the code goes"),
        ("ENV PIP_CONSTRAINT=lib/c.txt\n", "PIP_CONSTRAINT"),
    ],
)
def test_what_stands_between_and_may_need_the_code_keeps_it_there(between: str, why: str) -> None:
    assert why in reason(view(f"{HEAD}COPY . .\n{between}{INSTALL}"))


@pytest.mark.parametrize(
    "between",
    [
        "RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*\n",
        "RUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\n",
        "ARG X\nLABEL a=b\nEXPOSE 80\n",
        "RUN useradd app\nUSER app\n",
        "COPY --from=busybox /x /usr/local/bin/x\n",
    ],
)
def test_what_needs_no_code_stays_in_its_place(between: str) -> None:
    expected = f"{HEAD}COPY requirements.txt ./\n{between}{INSTALL}COPY . .\n"
    assert after(view(f"{HEAD}COPY . .\n{between}{INSTALL}")) == expected


@pytest.mark.parametrize(
    ("requirements", "why"),
    [
        ("-e .\n", "is code"),
        ("./lib\n", "is code"),
        ("lib @ file:///app/lib\n", "is code"),
        ("--find-links wheels\n", "is code"),
        ("-r missing.txt\n", "missing.txt, which is not a file"),
    ],
)
def test_requirements_that_are_code(requirements: str, why: str) -> None:
    assert why in reason(view(f"{HEAD}COPY . .\n{INSTALL}", {"requirements.txt": requirements}))


@pytest.mark.parametrize(
    "install",
    ["pip install .", "pip install -e .", "pip install -r $LIST", "pip install -r requirements.txt && make"],
)
def test_installs_that_read_the_code(install: str) -> None:
    reason(view(f"{HEAD}COPY . .\nRUN {install}\n", {"pyproject.toml": UV}))


def test_several_installs_and_a_constraint_on_the_command_line() -> None:
    text = f"{HEAD}COPY . .\n{INSTALL}RUN pip install -r dev.txt -c lib/c.txt\nRUN pytest\n"
    result = after(view(text, {"dev.txt": "pytest\n", "lib/c.txt": ""}))
    assert result == (
        f"{HEAD}COPY dev.txt requirements.txt ./\nCOPY lib/c.txt lib/\n{INSTALL}"
        "RUN pip install -r dev.txt -c lib/c.txt\nCOPY . .\nRUN pytest\n"
    )


def test_a_later_install_that_needs_the_code_stays_behind_it() -> None:
    text = f"{HEAD}COPY . .\n{INSTALL}RUN python app.py\nRUN pip install -r lib/out.txt\n"
    assert after(view(text)).endswith(
        f"{INSTALL}COPY . .\nRUN python app.py\nRUN pip install -r lib/out.txt\n"
    )


def test_a_context_in_a_folder_and_flags() -> None:
    text = "FROM python:3.12-slim\nCOPY --chown=7:7 . /srv\nRUN pip install -r /srv/requirements.txt"
    result = after(
        view(text, {"api/requirements.txt": "idna\n", "api/a.py": ""}, context="api", path="api/Dockerfile")
    )
    assert result == (
        "FROM python:3.12-slim\nCOPY --chown=7:7 requirements.txt /srv/\n"
        "RUN pip install -r /srv/requirements.txt\nCOPY --chown=7:7 . /srv\n"
    )


def test_a_list_that_a_mount_brings_is_not_copied() -> None:
    install = "RUN --mount=type=bind,source=requirements.txt,target=/tmp/r.txt pip install -r /tmp/r.txt\n"
    reason(view(f"{HEAD}COPY . .\n{install}"))


def test_a_heredoc_install() -> None:
    install = "RUN <<EOF\nset -e\npip install -r requirements.txt\nEOF\n"
    assert after(view(f"{HEAD}COPY . .\n{install}")) == f"{HEAD}COPY requirements.txt ./\n{install}COPY . .\n"


def test_line_endings_and_comments_move_along() -> None:
    text = f"{HEAD}\n# the code\nCOPY . .\n\n# packages\n{INSTALL}\nUSER app\n"
    expected = (
        f"{HEAD}\nCOPY requirements.txt ./\n\n# packages\n{INSTALL}\n# the code\nCOPY . .\n\nUSER app\n"
    )
    assert after(view(text)) == expected
    assert after(view(text.replace("\n", "\r\n"))) == expected.replace("\n", "\r\n")


def test_uv_reads_its_other_files_too_and_a_project_without_a_build_is_installed_once() -> None:
    files = {"pyproject.toml": UV, "uv.lock": "", ".python-version": "3.12", ".dockerignore": "**/.venv\n"}
    assert after(view(f"{HEAD}COPY . .\nRUN uv sync --frozen\n", files)) == (
        f"{HEAD}COPY .python-version pyproject.toml uv.lock ./\nRUN uv sync --frozen\nCOPY . .\n"
    )


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"pyproject.toml": UV}, "no uv.lock"),
        (
            {"pyproject.toml": f"{UV}[tool.uv.sources]\ny = {{ path = 'y' }}\n", "uv.lock": ""},
            "other projects",
        ),
        ({"pyproject.toml": "nonsense", "uv.lock": ""}, "cannot be read"),
    ],
)
def test_uv_projects_that_are_left_alone(files: dict[str, str], why: str) -> None:
    assert why in reason(view(f"{HEAD}COPY . .\nRUN uv sync\n", {**files, ".dockerignore": ".venv"}))


def test_poetry_in_two_steps() -> None:
    files = {"pyproject.toml": '[tool.poetry]\nname = "x"\n', "poetry.lock": ""}
    text = (
        f"{HEAD}COPY . .\nRUN poetry config virtualenvs.create false \\\n    && poetry install --only main\n"
    )
    result = after(view(text, files))
    assert result == (
        f"{HEAD}COPY poetry.lock pyproject.toml ./\n"
        "RUN poetry config virtualenvs.create false \\\n    && poetry install --no-root --only main\n"
        "COPY . .\nRUN poetry install --only main\n"
    )
    assert len(buildkit.parse_string(result)) == 6


def test_stages_that_the_target_does_not_need_are_left_alone() -> None:
    other = f"FROM python:3.12-slim AS dev\nWORKDIR /app\nCOPY . .\n{INSTALL}"
    assert after(view(f"{other}{HEAD}COPY . .\n{INSTALL}")).startswith(other)


@pytest.mark.parametrize("install", ["npm ci", "npm --silent install", "yarn", "pnpm i --frozen-lockfile"])
def test_installs_of_node_are_said_not_to_be_covered(install: str) -> None:
    text = f"FROM node:22\nCOPY . .\nRUN {install}\n"
    assert "npm, yarn and pnpm are not covered" in reason(text)
    assert reason(text).startswith(f"line 3 installs with {install.split()[0]} ")


@pytest.mark.parametrize(
    "lines", ["COPY package*.json ./\nRUN npm ci\nCOPY . .\n", "COPY . .\nRUN npm install -g serve\n"]
)
def test_no_word_of_node_where_its_install_is_in_order(lines: str) -> None:
    assert "npm" not in reason(f"FROM node:22\n{lines}", {"package.json": "{}"})


def test_poetry_sync_is_an_install_as_well() -> None:
    files = {"pyproject.toml": '[tool.poetry]\nname = "x"\n', "poetry.lock": ""}
    assert after(view(f"{HEAD}COPY . .\nRUN poetry sync\n", files)) == (
        f"{HEAD}COPY poetry.lock pyproject.toml ./\nRUN poetry sync --no-root\nCOPY . .\nRUN poetry sync\n"
    )


def test_a_name_with_wildcards_that_stands_for_a_lock_is_no_code() -> None:
    files = {"pyproject.toml": UV, "uv.lock": "", ".dockerignore": ".venv\n"}
    locks = "COPY pyproject.toml .\nCOPY uv.lock* .\n"
    done = f"{HEAD}{locks}RUN uv sync --frozen --no-install-project\nCOPY . .\n"
    assert "no code is copied before" in reason(view(done, files))
    before = f"{HEAD}COPY uv.lock* ./\nCOPY . .\nRUN uv sync --frozen\n"
    assert after(view(before, files)) == (
        f"{HEAD}COPY uv.lock* ./\nCOPY pyproject.toml ./\nRUN uv sync --frozen\nCOPY . .\n"
    )


@pytest.mark.parametrize("code", ["*.py", "li*"])
def test_a_name_with_wildcards_that_stands_for_code_moves(code: str) -> None:
    lists = f"{HEAD}COPY requirements.txt ./\n"
    assert after(view(f"{lists}COPY {code} ./\n{INSTALL}")) == f"{lists}{INSTALL}COPY {code} ./\n"


def test_what_is_installed_by_name_moves_as_well() -> None:
    build = "RUN pip install flash-attn --no-build-isolation\n"
    assert after(view(f"{HEAD}COPY . .\n{INSTALL}{build}RUN pip install gunicorn\n")) == (
        f"{HEAD}COPY requirements.txt ./\n{INSTALL}{build}RUN pip install gunicorn\nCOPY . .\n"
    )
    assert after(view(f"{HEAD}COPY . .\nRUN pip install flask\n")) == (
        f"{HEAD}RUN pip install flask\nCOPY . .\n"
    )


def test_an_install_that_reads_the_code_stays_behind_it() -> None:
    moved = f"{HEAD}COPY requirements.txt ./\n{INSTALL}COPY . .\n"
    for words in ("-e .", "lib/x-1.whl", "-r $LIST", "-f lib x", "--find-links=lib x"):
        assert after(view(f"{HEAD}COPY . .\n{INSTALL}RUN pip install {words}\n")) == (
            f"{moved}RUN pip install {words}\n"
        )


def test_installers_alone_are_no_dependencies() -> None:
    assert "no code is copied" in reason(view(f"{HEAD}COPY . .\nRUN pip install --upgrade pip\n"))


def test_uv_s_settings_come_along() -> None:
    settings = {"pyproject.toml": "[[tool.uv.index]]\nurl = 'https://example.org/simple'\n"}
    install = "RUN uv pip install --system flask\n"
    assert after(view(f"{HEAD}COPY . .\n{install}", settings)) == (
        f"{HEAD}COPY pyproject.toml ./\n{install}COPY . .\n"
    )
    assert after(view(f"{HEAD}COPY . .\n{install}", {"pyproject.toml": "[project]\n"})) == (
        f"{HEAD}{install}COPY . .\n"
    )


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        ("COPY . .\n", "every change of code"),
        ("COPY app.py requirements.txt ./\n", "every change of app.py and requirements.txt"),
        ("COPY lib/x.py lib/\nCOPY app.py ./\n", "every change of app.py and lib/x.py"),
        ("COPY lib app.py ./\n", "every change of code"),
    ],
)
def test_what_makes_it_install_again_is_told(copy: str, said: str) -> None:
    assert (
        said in ask.phase(view(f"{HEAD}{copy}{INSTALL if 'req' in copy else 'RUN pip install idna'}\n")).why
    )


def test_what_an_ignore_file_must_keep_out_first_is_another_phase() -> None:
    seen = view(f"{HEAD}COPY . .\nRUN uv sync --frozen\n", {"pyproject.toml": UV, "uv.lock": ""})
    assert "explicit_context does, and then this can follow" in reason(seen)
    left_out = ExplicitContext().propose(seen, {})
    assert isinstance(left_out, Phase), left_out
    assert isinstance(RULE.propose(seen.with_edits(left_out.edits), {}), Phase)
