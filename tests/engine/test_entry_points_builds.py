"""The application behind an entry point script of a real image: found, imported, timed; or said not to be checked."""

import pytest

from phasewise.migration.events import Verified
from phasewise.migration.images import Engine
from phasewise.migration.verify import verify
from phasewise.model.measurement import CheckResult, Verdict, Verification

pytestmark = pytest.mark.engine

ENTRY = '#!/bin/sh\nset -e\ncd /srv\nexec uvicorn "$@"\n'
FINAL = """\
FROM python:3.12-slim
COPY server.py /srv/
COPY --chmod=755 entry.sh /entry.sh
ENTRYPOINT ["/entry.sh"]
"""


def run(engine: Engine, image: str, baseline: Verification | None = None) -> dict[str, CheckResult]:
    *_, last = verify(engine, image, commit="c0ffee", baseline=baseline)
    assert isinstance(last, Verified)
    return {result.id: result for result in last.verification.results}


@pytest.fixture
def image(make_image):
    def make(name: str, more: str) -> str:
        return make_image(name, FINAL + more, {"server.py": "app = 1\n", "entry.sh": ENTRY})

    return make


def test_the_application_behind_a_script_is_imported_and_timed(engine: Engine, image) -> None:
    found = run(engine, image("behind", 'CMD ["server:app"]\n'))["app"]
    assert (found.verdict, found.title) == (Verdict.PASSED, "application server:app")
    assert found.samples is not None
    assert len(found.samples.seconds) >= 3
    lost = run(engine, image("behind-lost", 'RUN rm /srv/server.py\nCMD ["server:app"]\n'))["app"]
    assert (lost.verdict, lost.explanation) == (Verdict.FAILED, "server is not in the image")


def test_what_the_script_does_not_tell_is_said_not_to_be_checked(engine: Engine, image) -> None:
    found = run(engine, image("behind-nothing", 'CMD ["--factory"]\n'))["app"]
    assert found.verdict is Verdict.SKIPPED
    assert found.detail.startswith("not checked: the command /entry.sh --factory names no application")
