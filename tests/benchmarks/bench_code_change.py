"""How long a build takes after one application file changed: as the authors have it, and after all phases.

Run with `make benchmark`. Figures are printed, never asserted: machines differ.
"""

from pathlib import Path

import pytest
from git_fixtures import own_git_settings
from story_runs import REPOSITORIES, before_and_after, commit_all, in_turns, prepared, seconds, told

from phasewise.migration.errors import NoEngine
from phasewise.model.measurement import Scenario

__all__ = ["own_git_settings"]

TURNS = 7


@pytest.mark.parametrize("name", REPOSITORIES)
def test_code_change_before_and_after(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        session = prepared(name, tmp_path)
    except NoEngine as missing:
        pytest.skip(missing.message)
    try:
        phases = commit_all(session)
        # The first builds also fill the cache, and do not count.
        taken = in_turns(session, before_and_after(session), Scenario.CODE_CHANGE, TURNS + 1)
        before, after = (each[1:] for each in taken)
    finally:
        session.clean()
    with capsys.disabled():
        print(
            f"\n{name}: a code change takes {told(before)} as it is, {told(after)} after {len(phases)} phases:"
            f" {seconds(after).median / seconds(before).median - 1:+.0%}"
        )
