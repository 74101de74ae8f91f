"""What a failed build says: the Dockerfile is wrong, or the network and the disk were."""

import pytest

from phasewise.migration.failure import judge
from phasewise.migration.rawjson import Failure
from phasewise.model.measurement import Outcome

EXIT = 'process "/bin/sh -c pip install x" did not complete successfully: exit code: 1'


@pytest.mark.parametrize(
    "line",
    [
        "Err:1 http://mirror.example/debian bookworm InRelease\n  Temporary failure resolving 'mirror.example'",
        "curl: (6) Could not resolve host: astral.sh",
        "dial tcp: lookup registry.example: no such host",
        "urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='index.example', port=443): Read timed out.",
        "WARNING: Retrying ... connection broken by 'NewConnectionError(...)': /simple/x/",
        "error: error sending request for url (https://index.example/simple/x/)",
        "toomanyrequests: You have reached your pull rate limit.",
        "unexpected status from HEAD request to https://x/v2/: 503 Service Unavailable",
        "502 Bad Gateway",
        "net/http: TLS handshake timeout",
        "x509: certificate signed by unknown authority",
        "OSError: [Errno 28] No space left on device",
        "fatal: unable to access 'https://x/': Recv failure: Connection reset by peer",
        "  Could not connect to mirror.example:80 (1.2.3.4), connection timed out",
    ],
)
def test_network_and_disk_are_inconclusive(line: str) -> None:
    verdict = judge(Failure("[1/2] RUN pip install x", EXIT, tuple(line.split("\n"))), ())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    first, *rest = verdict.message.split("\n")
    assert first.endswith("which says nothing about the Dockerfile; try again.")
    assert rest[0] == "[1/2] RUN pip install x"


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: No matching distribution found for nowhere==1.0",
        "error: command 'gcc' failed: No such file or directory",
        "/bin/sh: 1: Syntax error: unexpected EOF while looking for matching quote",
        "psycopg2.OperationalError: connection to server at localhost failed: Connection refused",
        "5 failed, 429 passed (502)",
        "E: Unable to locate package libpq6",
        "",
    ],
)
def test_everything_else_is_the_dockerfiles_fault(line: str) -> None:
    assert judge(Failure("[1/2] RUN x", EXIT, (line,)), ()).outcome is Outcome.FAILED


def test_the_message_holds_the_step_its_last_lines_and_the_error() -> None:
    lines = tuple(f"line {number}" for number in range(30))
    message = judge(Failure("[1/2] RUN x", EXIT, lines), ("ignored",)).message.split("\n")
    assert message == ["[1/2] RUN x", *lines[-20:], EXIT]


def test_buildx_speaks_when_no_step_failed() -> None:
    said = (
        "Dockerfile:2",
        "ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN",
    )
    assert judge(None, said).message == "\n".join(said)
    assert judge(None, ()).message
    assert judge(None, ("ERROR: dial tcp: lookup x: no such host",)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
        "ERROR: Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?",
    ],
)
def test_an_engine_that_goes_away_says_nothing_about_the_dockerfile(said: str) -> None:
    for failure in (None, Failure("[1/2] RUN x", said.removeprefix("ERROR: "), ())):
        verdict = judge(failure, (said,))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.message.startswith("The engine does not answer any more, ")
    own = judge(Failure("[1/2] RUN docker ps", EXIT, (said,)), ())
    assert own.outcome is Outcome.FAILED
