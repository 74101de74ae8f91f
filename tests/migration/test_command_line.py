"""What an image starts, read from its configuration."""

import pytest

from phasewise.migration.checks.command_line import (
    Application,
    application,
    health_command,
    programs,
    start_command,
)


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
        (shell("cd /x && exec uvicorn a:b"), Application("object", "a:b")),
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
