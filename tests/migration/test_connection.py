"""Finding the engine: every way in which there is none has its sentence and its hint."""

import json
import socketserver
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from phasewise.migration.connection import Connection, connect
from phasewise.migration.errors import NoEngine
from phasewise.migration.images import Engine

DOCKER = """\
#!/bin/sh
case "$1 $2" in
"context inspect") cat "$0.context" ;;
"buildx version") cat "$0.buildx" ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command that tells of an engine where none is; what it says stands in files beside it."""
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(DOCKER)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    context = {
        "Name": "far",
        "Endpoints": {"docker": {"Host": f"unix://{tmp_path}/nowhere.sock"}},
        "Storage": {},
    }
    command.with_name("docker.context").write_text(json.dumps([context]))
    command.with_name("docker.buildx").write_text("github.com/docker/buildx v0.13.1 7884339")
    return command


def refusal() -> NoEngine:
    with pytest.raises(NoEngine) as caught:
        connect()
    assert caught.value.hint
    assert caught.value.exit_status == 4
    return caught.value


def test_no_docker_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no docker command" in refusal().message


def test_an_engine_that_does_not_answer(docker: Path, tmp_path: Path) -> None:
    assert (
        refusal().message == f"no Docker Engine answers at unix://{tmp_path}/nowhere.sock: nothing is there"
    )


@pytest.mark.parametrize(
    "version", ["github.com/docker/buildx v0.12.1 x", "github.com/docker/buildx 0.9.0 x"]
)
def test_buildx_that_is_too_old(docker: Path, version: str) -> None:
    docker.with_name("docker.buildx").write_text(version)
    assert "too old" in refusal().message
    assert "0.13" in refusal().hint


def test_no_buildx(docker: Path) -> None:
    docker.with_name("docker.buildx").write_text("docker: 'buildx' is not a docker command.")
    assert refusal().message == "docker has no buildx"


def test_a_context_that_is_none(docker: Path) -> None:
    docker.with_name("docker.context").write_text("[]")
    assert "context" in refusal().message


@pytest.mark.skipif(find_spec("paramiko") is not None, reason="paramiko is there, and would connect")
def test_ssh_without_its_package_says_which(docker: Path) -> None:
    context = [{"Name": "far", "Endpoints": {"docker": {"Host": "ssh://user@build.example"}}, "Storage": {}}]
    docker.with_name("docker.context").write_text(json.dumps(context))
    assert "docker[ssh]" in refusal().hint


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("unix:///var/run/docker.sock", "local"),
        ("tcp://build.example:2376", "build.example"),
        ("ssh://user@build.example", "build.example"),
    ],
)
def test_the_label_says_where_the_engine_is(host: str, place: str) -> None:
    engine = Engine(Connection(None, "default", host, "26.1.5", "0.13.1"))
    assert engine.label == f"docker 26.1.5 · buildx 0.13.1 · {place}"
    assert engine.identity == f"docker 26.1.5, buildx 0.13.1, {place}"
    assert engine.is_local is (place == "local")


def test_an_engine_that_goes_away_says_so(docker: Path, tmp_path: Path) -> None:
    """It tells its version and then closes every connection, as one does whose process is killed."""
    place = f"{tmp_path}/nowhere.sock"
    answer = json.dumps({"ApiVersion": "1.44", "Version": "26.1.5", "message": "No such image"})

    class Dying(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while request := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                if b"/version" not in request and b"/images/" not in request:
                    return
                status = "200 OK" if b"/version" in request else "404 Not Found"
                self.wfile.write(
                    f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode()
                )

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads, block_on_close = True, False

    with Server(place, Dying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = connect()
        engine = Engine(connection)
        assert not engine.exists("image"), "a refusal is an answer"
        with pytest.raises(NoEngine) as caught:
            engine.run("image", ["true"])
        said = f"the engine at unix://{place} does not answer any more: the connection broke off"
        assert caught.value.message == said
        assert not engine.answers()
        server.shutdown()
