"""What a running container calls is found where people write it."""

from __future__ import annotations

import pytest

from phasewise.model.repo import RepoView, Target
from phasewise.model.stages.runtime_use import runtime_uses, unversioned_loads

TOOLS = ("as", "curl", "git", "gcc", "g++", "go", "make", "strip", "wget")


def view(dockerfile: str = "", **files: str) -> RepoView:
    texts = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    texts["Dockerfile"] = f"FROM python:3.12-slim\n{dockerfile}\n"
    return RepoView(Target("Dockerfile"), texts, frozenset(texts))


@pytest.mark.parametrize(
    ("seen", "command", "place"),
    [
        pytest.param(view('CMD ["git", "daemon"]'), "git", "Dockerfile:2", id="CMD"),
        pytest.param(view("ENTRYPOINT sleep 1; exec wget x"), "wget", "Dockerfile:2", id="ENTRYPOINT"),
        pytest.param(
            view("EXPOSE 1\nHEALTHCHECK --interval=1s \\\n  CMD curl -f http://localhost/ || exit 1"),
            "curl",
            "Dockerfile:3",
            id="HEALTHCHECK",
        ),
        pytest.param(view("RUN git init /data"), "git", "Dockerfile:2", id="a RUN"),
        pytest.param(view('CMD ["make", "serve"]'), "make", "Dockerfile:2", id="a word, as a command"),
        pytest.param(
            view('CMD sh -c "cd /app && make serve"'), "make", "Dockerfile:2", id="a word, in a chain"
        ),
        pytest.param(
            view("RUN true\nRUN find / -name x | xargs -0 strip"),
            "strip",
            "Dockerfile:3",
            id="-exec",
        ),
        pytest.param(
            view(m_dot_py='import subprocess as s\ncmd = [\n  "wget", "-q"]\n'), "wget", "m.py:3", id="a list"
        ),
        pytest.param(
            view(
                m_dot_py='import asyncio.subprocess\nawait asyncio.create_subprocess_exec("/usr/bin/git", "x")\n'
            ),
            "git",
            "m.py:2",
            id="asyncio",
        ),
        pytest.param(
            view(
                'ENTRYPOINT ["/docker-entrypoint.sh"]',
                **{"docker-entrypoint_dot_sh": "#!/bin/sh\nset -e\ncurl x\n"},
            ),
            "curl",
            "docker-entrypoint.sh:3",
            id="entry point script",
        ),
        pytest.param(
            view(
                'CMD ["./start.sh"]', start_dot_sh="#!/bin/sh\n. ./lib.sh\n", lib_dot_sh="wget -q x\nwget y\n"
            ),
            "wget",
            "lib.sh:2",
            id="a script that a script names",
        ),
        pytest.param(
            view(main_dot_py='import subprocess\nsubprocess.run(["git", "log"])\n'),
            "git",
            "main.py:2",
            id="subprocess",
        ),
        pytest.param(
            view(main_dot_py='import os\nos.system("curl -f x")\n'), "curl", "main.py:2", id="os.system"
        ),
        pytest.param(
            view(app__repo_dot_py="import os\nfrom git import Repo\n"), "git", "app/repo.py:2", id="GitPython"
        ),
        pytest.param(
            view(m_dot_py="import torch\nm = torch.compile(m)\n"), "g++", "m.py:2", id="torch.compile"
        ),
        pytest.param(
            view(compose_dot_yaml="services:\n  api:\n    build: .\n    command: sh -c 'git pull && run'\n"),
            "git",
            "compose.yaml:4",
            id="compose command",
        ),
        pytest.param(
            view(
                compose_dot_yaml="services:\n  api:\n    build: .\n    healthcheck:\n      test:\n        - CMD\n"
                "        - curl\n        - http://localhost/\n"
            ),
            "curl",
            "compose.yaml:4",
            id="compose health check",
        ),
        pytest.param(
            view(k8s__api_dot_yaml="livenessProbe:\n  exec:\n    command:\n    - wget\n    - -q\n"),
            "wget",
            "k8s/api.yaml:2",
            id="probe",
        ),
        pytest.param(
            view(
                **{"_dot_github__workflows__ci_dot_yml": "- run: |\n    docker run --rm img git --version\n"}
            ),
            "git",
            ".github/workflows/ci.yml:2",
            id="workflow",
        ),
        pytest.param(view(Procfile="web: git version && gunicorn app\n"), "git", "Procfile:1", id="Procfile"),
    ],
)
def test_is_found(seen: RepoView, command: str, place: str) -> None:
    uses = runtime_uses(seen, TOOLS)
    assert set(uses) == {command}
    assert uses[command].place == place


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view("RUN apt-get install -y git curl"), id="installing is no use"),
        pytest.param(view("# git is for wheels\nENV GIT_SHA=1"), id="a comment"),
        pytest.param(view(main_dot_py='print("git")\n'), id="a string in code that calls nothing"),
        pytest.param(view(tests__test_x_dot_py='import subprocess\nsubprocess.run(["git"])\n'), id="a test"),
        pytest.param(view(deploy_dot_sh="#!/bin/sh\ngit push\n"), id="a script that nothing starts"),
        pytest.param(view(**{"_dot_github__workflows__ci_dot_yml": "- run: git push\n"}), id="on the runner"),
        pytest.param(view('CMD ["legit", "curl-config"]'), id="part of a name"),
        pytest.param(
            view("HEALTHCHECK CMD python -c 'import urllib.request as r; r.x()'"), id="a word in code"
        ),
        pytest.param(view("RUN mkdir -p /opt/go /srv/git && rm -rf /tmp/make"), id="a path"),
        pytest.param(
            view(m_dot_py='import subprocess\nraise ValueError("make sure that git is there")\n'),
            id="a message",
        ),
    ],
)
def test_is_not_taken_for_a_use(seen: RepoView) -> None:
    assert not runtime_uses(seen, TOOLS)


def test_runs_that_leave_are_no_uses() -> None:
    seen = view("RUN pip install git+https://example.org/x && git --version")
    run = seen.stage.instructions[1]
    assert "git" in runtime_uses(seen, TOOLS)
    assert not runtime_uses(seen, TOOLS, [run])


def test_only_the_build_context_counts() -> None:
    code = 'import subprocess\nsubprocess.run(["git"])\n'
    files = {"api/Dockerfile": "FROM python:3.12-slim\n", "tools/release.py": code}
    seen = RepoView(Target("api/Dockerfile", "api"), files, frozenset(files))
    assert not runtime_uses(seen, TOOLS)


def test_a_library_loaded_without_its_version_needs_the_headers_package() -> None:
    loads = unversioned_loads(view(m_dot_py='import ctypes\nlib = ctypes.CDLL("libmagic.so")\n'))
    assert loads["libmagic"].line == 2
    assert not unversioned_loads(view(m_dot_py='import ctypes\nlib = ctypes.CDLL("libmagic.so.1")\n'))
