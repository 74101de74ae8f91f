"""`phasewise demo --print` shows all that can be shown without an engine."""

import sys
from pathlib import Path

import pytest
from calling import Phasewise
from git_sandbox import Sandbox


def test_without_an_engine(tmp_path: Path, phasewise: Phasewise, no_engine: None) -> None:
    place = tmp_path / "tidewatch"
    called = phasewise("demo", place, "--print")
    assert called.status == 0
    assert "no Docker Engine answers" in called.stderr
    assert f"clean up: phasewise clean {place}" in called.stderr.splitlines()[-1]
    assert " add_ci_variant: " in called.stdout
    sandbox = Sandbox(place)
    assert sandbox.git("branch", "--show-current").strip() == "phasewise-demo"
    # The second phase was taken back, later ones planned again where they touch it, and it was applied anew.
    again, *earlier = sandbox.git("log", "--format=%s").splitlines()
    taken_back = earlier.index(f'Revert "{again}"')
    assert again in earlier[taken_back:]
    assert again not in earlier[:taken_back]
    status = phasewise("status", place, "--json").json
    assert {phase["state"] for phase in status["phases"]} - {"asks first"} == {"applied"}
    assert len(status["phases"]) >= 4


def test_who_leaves_the_screen_is_told_where_the_sample_is(
    tmp_path: Path, phasewise: Phasewise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phasewise.tui.app.PhasewiseApp.run", lambda app: None)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    called = phasewise("demo", tmp_path / "a place")
    assert called.status == 0
    name = f"'{tmp_path / 'a place'}'"
    assert called.stderr.splitlines()[-2:] == [
        f"look at it: phasewise {name}    what was done: git -C {name} log -p",
        f"clean up: phasewise clean {name} && rm -rf {name}",
    ]


def test_a_file_in_the_way(tmp_path: Path, phasewise: Phasewise) -> None:
    (tmp_path / "file").write_text("mine")
    assert phasewise("demo", tmp_path / "file", "--print").status == 2
    assert (tmp_path / "file").read_text() == "mine"
