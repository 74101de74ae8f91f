"""Whoever reads one Python file reads all: they are asked for together, and say what each says alone."""

import pytest
from git_fixtures import Sandbox

from phasewise.migration.objects import MOST_AHEAD, Objects

FILES = {f"app/module_{number:03}.py": f"NUMBER = {number}\n" for number in range(2 * MOST_AHEAD + 5)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The questions that git got, each a list of names."""
    questions: list[list[str]] = []
    send = Objects._send

    def counted(self: Objects, names: list[str]) -> None:
        questions.append(list(names))
        send(self, names)

    monkeypatch.setattr(Objects, "_send", counted)
    return questions


def test_many_files_in_few_questions(sandbox: Sandbox, asked: list[list[str]]) -> None:
    for path, text in FILES.items():
        sandbox.write(path, text)
    sandbox.commit("many")
    files = sandbox.open().files("HEAD")
    asked.clear()
    assert {path: files[path] for path in sorted(FILES)} == FILES
    assert len(asked) == 3
    assert all(len(names) <= MOST_AHEAD for names in asked)


def test_what_is_no_text_among_them(sandbox: Sandbox) -> None:
    (sandbox.root / "a.py").write_bytes(b"x = 1\n")
    (sandbox.root / "b.py").write_bytes(b"\0\1\2")
    (sandbox.root / "c.py").write_bytes(b"# " + b"x" * 2_000_001)
    (sandbox.root / "d.py").write_bytes(b"")
    (sandbox.root / "e.py").write_bytes(b"y = 2\n")
    sandbox.commit("odd")
    files = sandbox.open().files("HEAD")
    assert {path: files.get(path) for path in ("a.py", "b.py", "c.py", "d.py", "e.py")} == {
        "a.py": "x = 1\n",
        "b.py": None,
        "c.py": None,
        "d.py": "",
        "e.py": "y = 2\n",
    }


def test_git_dies_between(sandbox: Sandbox) -> None:
    for path, text in FILES.items():
        sandbox.write(path, text)
    sandbox.commit("many")
    repository = sandbox.open()
    files = repository.files("HEAD")
    first, *rest = sorted(FILES)
    assert files[first] == FILES[first]
    process = repository._objects._process
    assert process is not None
    assert process.proc is not None
    process.proc.kill()
    process.proc.wait()
    assert {path: files[path] for path in rest} == {path: FILES[path] for path in rest}
