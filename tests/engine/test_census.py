"""The census of real images, against what is known to have been put into them."""

import pytest

from phasewise.migration import census as census_module
from phasewise.migration.census import take_census
from phasewise.migration.errors import Cancelled
from phasewise.migration.events import Cancel
from phasewise.migration.images import Engine
from phasewise.model.census import Built, Census
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.floor import floor

pytestmark = pytest.mark.engine

FULL = """\
FROM {environment} AS builder
RUN head -c 5000000 /dev/urandom > /tmp/twice
FROM python:3.12-slim
RUN useradd --uid 1234 app
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /tmp/twice /data/twice
RUN chown app /data/twice
RUN mkdir -p /app/__pycache__ /opt/venv/lib/python3.12/site-packages/idna/tests \\
 && head -c 1000 /dev/zero > /app/__pycache__/main.cpython-312.pyc \\
 && touch /app/main.py && head -c 2000 /dev/zero > /app/main.pyc \\
 && head -c 3000 /dev/zero > /opt/venv/lib/python3.12/site-packages/idna/tests/data.txt \\
 && mkdir /data/tests && head -c 3000 /dev/zero > /data/tests/data.txt \\
 && head -c 4000 /dev/zero > /data/libx.a && ln /data/libx.a /data/liby.a \\
 && head -c 6000 /dev/zero > /data/fast.h
USER app
"""
SITE = "/opt/venv/lib/python3.12/site-packages"
WITHOUT_PYTHON = """\
FROM python:3.12-slim AS source
FROM scratch
COPY --from=source /etc/passwd /etc/passwd
COPY --from=source /var/lib/dpkg/status /var/lib/dpkg/status
COPY --from=source /bin/dash /bin/dash
"""


@pytest.fixture(scope="module")
def full_image(make_image, environment: str) -> str:
    return make_image("census-full", FULL.replace("{environment}", environment))


@pytest.fixture(scope="module")
def full(engine: Engine, full_image: str) -> Census:
    return take_census(engine, full_image)


def test_files_are_counted_by_kind_under_their_directory(full: Census) -> None:
    assert full.bytecode_bytes["/app"] == 1000
    assert full.legacy_bytecode_bytes == {"/app": 2000}
    assert full.header_bytes["/data"] == 6000
    assert full.static_library_bytes["/data"] == 4000


def test_tests_are_those_of_installed_packages(engine: Engine, full: Census, environment: str) -> None:
    before = take_census(engine, environment)
    assert full.test_bytes[SITE] - before.test_bytes[SITE] == 3000
    assert "/data" not in full.test_bytes


def test_the_walk_leaves_no_trace_in_its_own_figures(full: Census) -> None:
    assert not Census.under(full.bytecode_bytes, "/usr/local")


def test_bytes_that_a_later_layer_wrote_again_are_known(full: Census) -> None:
    assert 5_000_000 <= full.duplicated_bytes < 5_500_000
    assert full.image_bytes == sum(layer.size_bytes for layer in full.layers)


def test_distributions_have_their_sizes_imports_and_place(full: Census) -> None:
    idna = full.distribution("idna")
    assert idna is not None
    assert idna.location == SITE
    assert idna.imports == ("idna",)
    assert 200_000 < idna.size_bytes < 2_000_000
    psycopg2 = full.distribution("psycopg2")
    assert psycopg2 is not None
    assert psycopg2.imports == ("psycopg2",)
    assert full.distribution("pip") is not None


def test_what_was_compiled_in_the_build_is_told_from_wheels(full: Census) -> None:
    built = {each.name: each.built for each in full.distributions}
    assert built["psycopg2"] is Built.HERE
    assert built["numpy"] is Built.ELSEWHERE
    assert built["idna"] is built["pip"] is Built.PURE


def test_a_wheel_that_kept_its_first_tag_came_built(engine: Engine, make_image) -> None:
    image = make_image(
        "renamed", "FROM python:3.12-slim\nRUN pip install --no-cache-dir --no-deps lightgbm==4.6.0\n"
    )
    found = take_census(engine, image).distribution("lightgbm")
    assert found is not None
    assert found.built is Built.ELSEWHERE


def test_the_packages_behind_loaded_libraries_are_known(engine: Engine, environment: str) -> None:
    census = take_census(engine, environment)
    assert "psycopg2" in census.library_packages["libpq5"]
    assert "python" in census.library_packages["libssl3"]


def test_scripts_users_and_packages_are_listed(full: Census) -> None:
    [f2py] = [script for script in full.scripts if script.path == "/opt/venv/bin/f2py"]
    assert f2py.distribution == "numpy"
    assert f2py.shebang.startswith("/opt/venv/bin/python")
    assert full.users["app"] == 1234
    assert full.apt_packages["libc6"] > 10_000_000
    assert full.strippable_bytes[SITE] > 0


def test_an_image_without_python_is_walked_from_outside(engine: Engine, make_image) -> None:
    census = take_census(engine, make_image("census-bare", WITHOUT_PYTHON))
    assert census.note == ""
    assert census.users["root"] == 0
    assert "dash" in census.apt_packages
    assert abs(census.file_bytes - census.image_bytes) < 1000
    assert not [tag for tag in engine.local_tags() if tag.startswith("phasewise-census")]


def test_without_any_python_the_layers_remain(engine: Engine, make_image, monkeypatch) -> None:
    image = make_image("census-bare", WITHOUT_PYTHON)
    monkeypatch.setattr(Engine, "local_tags", lambda self: ())
    census = take_census(engine, image)
    assert census.note
    assert census.image_bytes == sum(layer.size_bytes for layer in census.layers)
    assert census.duplicated_bytes == 0


def test_both_ways_of_walking_see_the_same(engine: Engine, full: Census, full_image: str) -> None:
    outside = census_module._from_outside(engine, engine.inspect(full_image), Cancel())
    assert outside["bytecode"] == full.bytecode_bytes
    assert outside["library_packages"] == {name: list(by) for name, by in full.library_packages.items()}
    assert {entry["name"]: entry["size_bytes"] for entry in outside["distributions"]} == {
        distribution.name: distribution.size_bytes for distribution in full.distributions
    }


def test_it_can_be_cancelled(engine: Engine) -> None:
    cancel = Cancel()
    cancel.ask()
    with pytest.raises(Cancelled):
        take_census(engine, "python:3.12-slim", cancel)


EVERY_INSTRUCTION = """\
ARG TAG=3.12-slim
FROM python:${TAG} AS base
ARG A=1
ENV B=2 C=3
LABEL one=1 two=2
RUN <<EOF
head -c 1000 /dev/zero > /one
true
EOF
FROM base AS final
MAINTAINER somebody
WORKDIR /srv/new
COPY <<two /two
2
two
ADD Dockerfile /three
EXPOSE 80 81
VOLUME /data
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
RUN ["head", "-c", "2000", "/etc/passwd"]
RUN --mount=type=tmpfs,target=/t head -c 3000 /dev/zero \\
    > /four
HEALTHCHECK CMD true
USER 1000
ONBUILD RUN true
ENTRYPOINT ["python"]
cmd ["-V"]
"""


def test_the_history_tells_the_base_from_what_the_dockerfile_wrote(engine: Engine, make_image) -> None:
    image = engine.inspect(make_image("census-history", EVERY_INSTRUCTION))
    dockerfile = Dockerfile.parse(EVERY_INSTRUCTION)
    census = Census(image.size_bytes, image.layers, image.size_bytes)
    found = floor(census, None, [], [], (), (dockerfile, dockerfile.stages[-1]))
    assert found.base_bytes == engine.inspect("python:3.12-slim").size_bytes
    assert found.application_bytes == 2 + len(EVERY_INSTRUCTION)
