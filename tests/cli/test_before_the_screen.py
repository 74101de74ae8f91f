"""What cannot be opened is said before a screen is drawn; what can is read behind the first frame."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from calling import Phasewise
from git_sandbox import DOCKERFILE, Sandbox

from phasewise.migration import glance
from phasewise.migration.session import Session
from phasewise.tui.app import PhasewiseApp


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> list[PhasewiseApp]:
    """The applications that were given the terminal."""
    shown: list[PhasewiseApp] = []
    monkeypatch.setattr(PhasewiseApp, "run", lambda app: shown.append(app))
    return shown


def opened_before(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that sessions were opened on, from now on."""
    opened: list[Path] = []
    open_session = Session.open

    def note(path: Path, **words: str | None) -> Session:
        opened.append(path)
        return open_session(path, **words)

    monkeypatch.setattr(Session, "open", note)
    return opened


def test_a_repository_without_a_dockerfile(
    sandbox: Sandbox, phasewise: Phasewise, screens: list[PhasewiseApp]
) -> None:
    sandbox.git("rm", "--quiet", "Dockerfile")
    sandbox.commit("no image any more", **{"main.py": "", "vendor/x/Dockerfile": DOCKERFILE})
    sandbox.write("Dockerfile", DOCKERFILE)
    called = phasewise(sandbox.root)
    assert (called.status, screens) == (2, [])
    assert called.stderr == (
        f"phasewise: no Dockerfile is committed in {sandbox.root}\n"
        "  commit one, or name the repository: phasewise REPO\n"
    )


@pytest.mark.parametrize(
    ("make", "said", "hint"),
    [
        ([], "is not in a git repository", "git init"),
        (["init", "--quiet"], "has no commit yet", "first commit"),
        (["init", "--quiet", "--bare"], "is a bare repository", "clone it first"),
    ],
)
def test_no_repository_to_work_on(
    tmp_path: Path,
    phasewise: Phasewise,
    screens: list[PhasewiseApp],
    make: list[str],
    said: str,
    hint: str,
) -> None:
    if make:
        subprocess.run(["git", "-C", str(tmp_path), *make], check=True)
    called = phasewise(tmp_path)
    assert (called.status, screens) == (2, [])
    assert said in called.stderr.split("\n")[0]
    assert hint in called.stderr.split("\n")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["--dockerfile", "Other"], "Other is not a committed Dockerfile"),
        (["--target", "production"], "production"),
    ],
)
def test_a_name_that_is_not_there(
    sandbox: Sandbox,
    phasewise: Phasewise,
    monkeypatch: pytest.MonkeyPatch,
    screens: list[PhasewiseApp],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(sandbox.root)
    called = phasewise(*words)
    assert (called.status, screens) == (2, [])
    assert said in called.stderr


@pytest.mark.parametrize("words", [[], ["--dockerfile", "Dockerfile"], ["--dockerfile", "./Dockerfile"]])
def test_what_can_be_opened_is_read_behind_the_first_frame(
    sandbox: Sandbox,
    phasewise: Phasewise,
    monkeypatch: pytest.MonkeyPatch,
    screens: list[PhasewiseApp],
    words: list[str],
) -> None:
    monkeypatch.chdir(sandbox.root)
    opened = opened_before(monkeypatch)
    assert phasewise(*words).status == 0
    assert (len(screens), opened) == (1, [])
    assert screens[0].main.open_session().target.dockerfile == "Dockerfile"


def test_a_dockerfile_by_its_content_is_looked_for_once(
    sandbox: Sandbox, phasewise: Phasewise, monkeypatch: pytest.MonkeyPatch, screens: list[PhasewiseApp]
) -> None:
    sandbox.git("mv", "Dockerfile", "image")
    sandbox.commit("a name of its own")
    opened = opened_before(monkeypatch)
    assert phasewise(sandbox.root).status == 0
    assert screens[0].main.open_session().target.dockerfile == "image"
    assert opened == [sandbox.root]


def test_a_glance_is_certain_of_nothing_that_git_would_look_for_elsewhere(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert glance.certain(sandbox.root)
    assert glance.certain(sandbox.root / "Dockerfile")
    assert not glance.certain(sandbox.root / "nowhere")
    assert not glance.certain(sandbox.root / ".git")
    monkeypatch.setenv("GIT_DIR", str(sandbox.root / ".git"))
    assert not glance.certain(sandbox.root)
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert not glance.certain(sandbox.root)
