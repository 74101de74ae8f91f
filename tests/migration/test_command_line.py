"""What an image starts, read from its configuration."""

from collections.abc import Callable

import pytest

from phasewise.migration.checks.command_line import health_command, start_command
from phasewise.migration.probes.commands import Application, application, no_application, programs


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def test_cmd_stands_behind_the_entry_point() -> None:
    assert start_command({"Entrypoint": ["tini", "--"], "Cmd": ["uvicorn", "a:b"]}) == (
        "tini",
        "--",
        "uvicorn",
        "a:b",
    )
    assert start_command({"Cmd": None, "Entrypoint": None}) == ()


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (["CMD-SHELL", "curl -f localhost || exit 1"], shell("curl -f localhost || exit 1")),
        (["CMD", "curl", "localhost"], ("curl", "localhost")),
        (["NONE"], ()),
        (None, ()),
    ],
)
def test_the_health_check_in_either_form(test: list[str] | None, command: tuple[str, ...]) -> None:
    assert health_command({"Healthcheck": {"Test": test}} if test else {}) == command


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (("uvicorn", "a:b"), ("uvicorn",)),
        (shell("exec uvicorn a:b --port $PORT"), ("/bin/sh", "uvicorn")),
        (
            shell("cd /app && FOO=1 alembic upgrade head; exec gunicorn a:b"),
            ("/bin/sh", "alembic", "gunicorn"),
        ),
        (shell("curl -f http://x/?a=1&b=2 || exit 1"), ("/bin/sh", "curl")),
        (shell("if [ -f x ]; then python x.py; fi"), ("/bin/sh", "python")),
        (shell("$START now"), ("/bin/sh",)),
        (shell('echo "not closed'), ("/bin/sh",)),
        (("bash", "-lc", "python x.py | tee log"), ("bash", "python", "tee")),
        (("sh", "start.sh"), ("sh",)),
        ((), ()),
    ],
)
def test_the_programs_that_a_command_starts(argv: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert programs(argv) == names


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("uvicorn", "app.main:app", "--host", "0.0.0.0"), Application("object", "app.main:app")),
        (("uvicorn", "--factory", "a:make", "--app-dir", "src"), Application("object", "a:make", "src")),
        (
            ("/opt/venv/bin/gunicorn", "-w", "4", "-k", "uvicorn.workers.X", "a:create()"),
            Application("object", "a:create()"),
        ),
        (
            ("gunicorn", "--bind", "0.0.0.0:80", "a.wsgi:application"),
            Application("object", "a.wsgi:application"),
        ),
        (("python", "-m", "uvicorn", "a:b"), Application("object", "a:b")),
        (("python3.12", "-u", "-m", "service"), Application("module", "service")),
        (("python", "-X", "dev", "-W", "error", "main.py", "--x"), Application("file", "main.py")),
        (shell("cd /x && exec uvicorn a:b"), Application("object", "a:b", "/x")),
        (shell("cd src; python main.py"), Application("file", "src/main.py")),
        (shell("alembic upgrade head && python seed.py && uvicorn a:b"), Application("object", "a:b")),
        (("tini", "-g", "--", "gosu", "app", "uvicorn", "a:b"), Application("object", "a:b")),
        (("env", "FOO=1", "gunicorn", "a:b"), Application("object", "a:b")),
        (("uv", "run", "--no-sync", "uvicorn", "a:b"), Application("object", "a:b")),
        (("uv", "pip", "uvicorn", "a:b"), None),
        (("fastapi", "run", "--port", "80", "app/main.py"), Application("file", "app/main.py")),
        (("celery", "-A", "proj.worker", "worker"), Application("object", "proj.worker")),
        (("tini", "--", "server"), None),
        (("python", "-c", "print(1)"), None),
        (("gunicorn", "-c", "conf.py"), None),
        (("python3",), None),
    ],
)
def test_the_application_that_a_command_names(argv: tuple[str, ...], expected: Application | None) -> None:
    assert application(argv) == expected


SCRIPT = """\
#!/usr/bin/env bash
set -euo pipefail
# uvicorn wrong:app is only a comment
export APP="${APP:-service.main:app}"
python manage.py migrate
if [ "$1" = "web" ]; then
    cd /srv
    exec uvicorn "$APP" \\
        --port "${PORT:-80}"
fi
celery -A service.tasks worker &
"""


def scripts(**texts: str) -> Callable[[str], str]:
    return lambda path: texts.get(path.rpartition("/")[2].partition(".")[0], "")


@pytest.mark.parametrize(
    ("argv", "text", "expected"),
    [
        (("/entry.sh", "web"), SCRIPT, Application("object", "service.main:app", "/srv")),
        (("sh", "-e", "entry.sh", "web"), SCRIPT, Application("object", "service.main:app", "/srv")),
        (
            ("/entry.sh", "uvicorn", "a:b"),
            '#!/bin/sh\nalembic upgrade head\nexec "$@"\n',
            Application("object", "a:b"),
        ),
        (("/entry.sh",), '#!/bin/sh\nset -- uvicorn a:b "$@"\nexec "$@"\n', Application("object", "a:b")),
        (("/entry.sh", "a:b"), '#!/bin/sh\nexec uvicorn "$1"\n', Application("object", "a:b")),
        (("/entry.sh",), "#!/bin/bash\npython -m worker\n", Application("module", "worker")),
        (("/entry.sh",), "#!/usr/bin/python3\nuvicorn a:b\n", None),
        (("/entry.sh",), '#!/bin/sh\nexec /entry.sh "$@"\n', None),
        (("/entry.sh",), "", None),
    ],
)
def test_the_application_behind_a_script(
    argv: tuple[str, ...], text: str, expected: Application | None
) -> None:
    assert application(argv, {}, scripts(entry=text)) == expected


def test_variables_of_the_image_are_filled_in() -> None:
    argv = shell("uvicorn $APP --port ${PORT}")
    assert application(argv, {"APP": "a:b"}) == Application("object", "a:b")
    assert application(argv) is None
    assert no_application(argv, {}) == "uvicorn is given $APP, which the image does not set"


def test_why_no_application_is_known() -> None:
    assert no_application((), {}) == "the image has no command"
    assert no_application(("nginx", "-g", "x"), {}) == (
        "the command nginx -g x names no application, nor does a script that it runs"
    )


def test_the_programs_of_a_script_are_those_of_its_file_only_when_it_is_read() -> None:
    assert programs(("/entry.sh", "web")) == ("/entry.sh",)
    assert "uvicorn" in programs(("/entry.sh", "web"), {}, scripts(entry=SCRIPT))
