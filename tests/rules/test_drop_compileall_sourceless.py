"""Bytecode that is run in place of its sources stays, and the reason says what needs it."""

from __future__ import annotations

import pytest
from asking import Asking

from phasewise.rules.drop_compileall import DropCompileall

ask = Asking(DropCompileall())
PYTHON = "FROM python:3.12-slim\n"
COMPILED = f"{PYTHON}WORKDIR /app\nCOPY src .\nRUN python -m compileall -b .\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param("RUN find . -name '*.py' -delete", "line 5 deletes the sources", id="find -delete"),
        pytest.param("RUN find . -name '*.py' | xargs rm -f", "line 5 deletes the sources", id="xargs"),
        pytest.param(
            "RUN find . -name '*.py' -exec sh -c 'rm \"$1\"' _ {} \\;", "line 5 deletes", id="a shell in find"
        ),
        pytest.param("RUN rm -f lib/*.py", "line 5 deletes the sources", id="rm with a pattern"),
        pytest.param("RUN rm main.py", "line 5 deletes the sources", id="rm of what is compiled"),
        pytest.param(f"{PYTHON}COPY --from=0 /app/main.pyc .", "line 6 names /app/main.pyc", id="COPY"),
        pytest.param(f"{PYTHON}COPY --from=0 /app/*.pyc .", "line 6 names /app/*.pyc", id="COPY of all"),
        pytest.param("RUN mv main.pyc run.pyc", "line 5 names main.pyc", id="RUN"),
        pytest.param('ENTRYPOINT ["python", "main.pyc"]', "line 5 names main.pyc", id="ENTRYPOINT"),
        pytest.param("CMD exec python -OO main.pyc", "line 5 names main.pyc", id="CMD"),
        pytest.param("HEALTHCHECK CMD python check.pyc", "line 5 names check.pyc", id="HEALTHCHECK"),
    ],
)
def test_stays_where_something_needs_it(lines: str, said: str) -> None:
    assert f"the bytecode is run in place of its sources: {said}" in ask.reason(f"{COMPILED}{lines}\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docker-entrypoint.sh", "#!/bin/sh\nexec python main.pyc\n"),
        ("compose.yaml", "services:\n  app:\n    command: [python, main.pyc]\n"),
        ("Procfile", "# main.pyc\nweb: python main.pyc\n"),
    ],
)
def test_stays_where_a_file_of_the_repository_starts_it(path: str, text: str) -> None:
    assert f"{path}:{2 + path.startswith('compose')} names main.pyc" in ask.reason(COMPILED, {path: text})


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("RUN find / -name '*.pyc' -delete", id="bytecode is deleted"),
        pytest.param("RUN find / -name '*.py[co]' | xargs rm -f", id="handed to rm"),
        pytest.param("RUN rm -rf lib/*.pyc /get-pip.py", id="another source is deleted"),
        pytest.param("RUN find / -name 'test_*.py' -delete", id="tests are deleted"),
        pytest.param("RUN rsync -a --exclude '*.pyc' /app /srv", id="left out"),
    ],
)
def test_goes_where_nothing_needs_it(line: str) -> None:
    clean = {"clean.sh": "find . -name old.pyc -delete\n", "settings.yml": "exclude: '**/*.pyc'\n"}
    assert "compileall" not in ask.after(f"{COMPILED}{line}\n", clean)


def test_the_installer_still_stops_compiling() -> None:
    after = ask.after(f'{COMPILED}RUN pip install --compile six\nCMD ["python", "main.pyc"]\n')
    assert "compileall -b ." in after
    assert "pip install six" in after
