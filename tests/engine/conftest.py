"""The engine and the images that the tests here build; everything they made is removed at the end."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from phasewise.migration.errors import NoEngine
from phasewise.migration.events import BuildFinished
from phasewise.migration.images import REPOSITORY_LABEL, Engine, find_engine
from phasewise.model.measurement import Outcome

MakeImage = Callable[..., str]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that the docker CLI would use; the test is skipped, and counted, when there is none."""
    try:
        return find_engine()
    except NoEngine as error:
        pytest.skip(f"no engine: {error.message}; .ci/engine starts one")


@pytest.fixture(scope="session")
def git_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """git with a user of the tests' own, and nothing of the machine's."""
    settings = tmp_path_factory.mktemp("git") / "config"
    settings.write_text('[user]\n name = Ada\n email = ada@example.com\n[protocol "file"]\n allow = always\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture(scope="session")
def repository(engine: Engine) -> Iterator[str]:
    """A name for images that nobody else uses; whatever carries it is removed at the end."""
    name = f"phasewise-test/{uuid.uuid4().hex[:12]}"
    yield name
    for image in engine.images_of(name):
        engine.remove(image.tags)
        engine.discard(image.id)


@pytest.fixture(scope="session")
def make_image(engine: Engine, repository: str, tmp_path_factory: pytest.TempPathFactory) -> MakeImage:
    """Builds an image from a Dockerfile's text and other files; a name is built once."""
    made: dict[str, str] = {}

    def make(name: str, dockerfile: str, files: Mapping[str, str] | None = None) -> str:
        if name not in made:
            context = tmp_path_factory.mktemp(name)
            write_files(context, {"Dockerfile": dockerfile, **(files or {})})
            tag = f"{repository}:{name}"
            *_, finished = engine.build(
                context, context / "Dockerfile", tag=tag, labels={REPOSITORY_LABEL: repository}
            )
            assert isinstance(finished, BuildFinished)
            assert finished.outcome is Outcome.BUILT, finished.error
            made[name] = tag
        return made[name]

    return make


# numpy 2.2.6 carries a library that patchelf rewrote and that strip misaligns; psycopg2 is compiled here.
ENVIRONMENT = """\
FROM python:3.12
RUN python3 -m venv /opt/venv \\
 && /opt/venv/bin/pip install --no-cache-dir --no-compile numpy==2.2.6 idna==3.10 psycopg2==2.9.10
"""


@pytest.fixture(scope="session")
def environment(make_image: MakeImage) -> str:
    """An image whose /opt/venv holds numpy, idna and psycopg2."""
    return make_image("environment", ENVIRONMENT)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Writes text files below `folder`, with their folders."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
