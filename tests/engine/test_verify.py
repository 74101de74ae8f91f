"""The checks on real images: a good one passes, and each way of breaking it is caught and explained."""

import threading

import pytest

from phasewise.migration.checks.declared import DeclaredCheck
from phasewise.migration.errors import Cancelled
from phasewise.migration.events import Cancel, CheckFinished, Narration, Verified
from phasewise.migration.images import Engine
from phasewise.migration.verify import verify
from phasewise.model.measurement import CheckResult, Verdict, Verification

pytestmark = pytest.mark.engine

SITE = "/opt/venv/lib/python3.12/site-packages"
SERVER = """\
import http.server
import idna
import numpy


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", 8000), Health).serve_forever()
"""
FINAL = """\
FROM {environment} AS builder
RUN {change}
FROM {base}
ENV PATH=/opt/venv/bin:$PATH MODE=production
RUN useradd --uid 1000 app
COPY --from=builder /opt/venv /opt/venv
WORKDIR /srv
COPY server.py .
EXPOSE 8000
USER app
HEALTHCHECK --interval=30s --timeout=5s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"
CMD ["python", "server.py"]
{more}
"""


@pytest.fixture(scope="module")
def image(make_image, environment: str):
    def make(name: str, *, change: str = "true", base: str = "python:3.12", more: str = "") -> str:
        text = FINAL.format(environment=environment, change=change, base=base, more=more)
        return make_image(name, text, {"server.py": SERVER})

    return make


def run(engine: Engine, image: str, baseline: Verification | None = None, **options: object) -> Verification:
    *events, last = verify(engine, image, commit="c0ffee", baseline=baseline, **options)
    assert isinstance(last, Verified)
    assert all(isinstance(event, CheckFinished | Narration) for event in events)
    results = tuple(event.result for event in events if isinstance(event, CheckFinished))
    assert last.verification.results == results
    return last.verification


@pytest.fixture(scope="module")
def baseline(engine: Engine, image) -> Verification:
    return run(engine, image("good"))


def broken(engine: Engine, image: str, baseline: Verification, **options: object) -> dict[str, CheckResult]:
    return {result.id: result for result in run(engine, image, baseline, **options).broken_since(baseline)}


def test_a_good_image_passes_everything(engine: Engine, image, baseline: Verification) -> None:
    assert [result for result in baseline.results if result.verdict is not Verdict.PASSED] == []
    ids = [result.id for result in baseline.results]
    assert len(ids) == len(set(ids))
    assert {
        "python",
        "config:Cmd",
        "config:User",
        "config:Env",
        "command",
        "command:healthcheck",
        "app",
        "import:numpy",
        "import:psycopg2",
        "metadata:idna",
        "scripts:f2py",
        "elf:numpy",
        "libraries:psycopg2",
        "libraries:system",
        "health",
    } <= set(ids)
    assert not broken(engine, image("good"), baseline)


def test_every_failing_result_is_explained(engine: Engine, image, baseline: Verification) -> None:
    everything = image(
        "everything",
        change=f"rm -r {SITE}/idna* /opt/venv/bin/f2py && rm {SITE}/numpy.libs/libscipy*",
        more='USER root\nENV MODE=debug\nHEALTHCHECK NONE\nCMD ["nowhere"]\n',
    )
    results = broken(engine, everything, baseline).values()
    assert len(results) > 8
    assert [result.id for result in results if not result.explanation] == []


def test_deleted_dist_info_is_caught_although_imports_pass(engine, image, baseline: Verification) -> None:
    found = broken(engine, image("distless", change=f"rm -r {SITE}/idna-*.dist-info"), baseline)
    assert set(found) == {"metadata:idna"}
    assert found["metadata:idna"].explanation.startswith("importlib.metadata.version('idna') raises")


def test_stripped_bundled_libraries_are_caught(engine: Engine, image, baseline: Verification) -> None:
    found = broken(engine, image("stripped", change=f"strip --strip-unneeded {SITE}/numpy.libs/*"), baseline)
    assert {"elf:numpy", "import:numpy"} <= set(found)
    explanation = found["import:numpy"].explanation
    assert explanation.startswith("numpy no longer loads: libscipy_openblas64_-")
    assert explanation.endswith("is misaligned after strip")
    assert "libscipy_openblas64_" in found["elf:numpy"].explanation


def test_a_lost_runtime_library_is_caught(engine: Engine, image, baseline: Verification) -> None:
    found = broken(engine, image("libless", base="python:3.12-slim"), baseline)
    assert found["libraries:psycopg2"].explanation == (
        "psycopg2 needs libpq.so.5, which the image does not have any more"
    )
    assert found["import:psycopg2"].explanation == (
        "psycopg2 no longer loads: the shared library libpq.so.5 is not in the image"
    )
    assert {id for id in found if "psycopg2" not in id} == set()


def test_a_command_that_is_gone_is_caught(engine: Engine, image, baseline: Verification) -> None:
    changed = image("commandless", change="rm /opt/venv/bin/f2py", more='CMD ["serve", "server.py"]')
    found = broken(engine, changed, baseline)
    assert found["scripts:f2py"].explanation == "the command f2py is not on PATH in the image"
    assert found["command"].explanation == "the command serve is not on PATH in the image"
    assert '"serve"' in found["health"].explanation


def test_a_script_whose_interpreter_is_gone_is_caught(engine: Engine, image, baseline: Verification) -> None:
    change = "sed -i '1s,.*,#!/build/venv/bin/python,' /opt/venv/bin/f2py"
    found = broken(engine, image("shebang", change=change), baseline)
    assert found["scripts:f2py"].explanation.endswith("its interpreter /build/venv/bin/python is missing")


def test_changes_of_the_configuration_are_judged(engine: Engine, image, baseline: Verification) -> None:
    changed = image(
        "configured",
        more="ENV MODE=debug PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 NEW=1 PATH=/extra:$PATH\nUSER 1000\n"
        'EXPOSE 9000\nWORKDIR /\nCMD ["python", "/srv/server.py"]\n',
    )
    found = broken(engine, changed, baseline)
    assert set(found) == {"config:Cmd", "config:ExposedPorts", "config:WorkingDir", "config:Env"}
    assert found["config:Env"].explanation == "the variable MODE was 'production' and is now 'debug'"
    assert "config:Env" not in broken(engine, changed, baseline, owned_environment=("MODE",))


def test_an_unhealthy_image_is_caught(engine: Engine, image, baseline: Verification) -> None:
    fails = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/nowhere')"
    check = f'HEALTHCHECK --interval=1s --timeout=5s --retries=2 CMD python -c "{fails}"'
    sick = image("sick", more=check)
    found = broken(engine, sick, baseline)
    assert "404" in found["health"].detail
    assert found["health"].explanation.startswith("started without network, the container is unhealthy")


def test_declared_checks_run_as_declared(engine: Engine, image) -> None:
    declared = (
        DeclaredCheck("works", ("python", "-c", "import numpy")),
        DeclaredCheck("fails", ("python", "-c", "raise SystemExit('the reason')")),
        DeclaredCheck("hangs", ("sleep", "300"), timeout_seconds=1),
    )
    results = {result.id: result for result in run(engine, image("good"), declared=declared).results}
    assert results["declared:works"].verdict is Verdict.PASSED
    assert results["declared:fails"].explanation.endswith("ended with status 1: the reason")
    assert results["declared:hangs"].explanation == "sleep 300 did not end within 1 s"


def test_an_image_without_python_has_only_its_configuration(engine: Engine, make_image) -> None:
    bare = make_image(
        "verify-bare", "FROM python:3.12-slim AS s\nFROM scratch\nCOPY --from=s /etc/passwd /\n"
    )
    results = run(engine, bare).results
    assert {result.id.partition(":")[0] for result in results} == {"config", "health"}


def test_it_can_be_cancelled(engine: Engine, image) -> None:
    cancel = Cancel()
    threading.Timer(0.3, cancel.ask).start()
    with pytest.raises(Cancelled):
        run(engine, image("good"), cancel=cancel)
