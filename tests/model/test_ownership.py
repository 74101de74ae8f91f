"""Files are copied as their owner, and everything else that chown -R reached still changes hands."""

from __future__ import annotations

import pytest

from phasewise.model.dockerfile import Dockerfile
from phasewise.model.stages.ownership import hand_over

BUILDER = "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv\n\n"


def after(text: str) -> str | None:
    dockerfile = Dockerfile.parse(BUILDER + text)
    done = hand_over(dockerfile, dockerfile.stage(None))
    if done is None:
        return None
    again = Dockerfile.parse(done.text)
    assert hand_over(again, again.stage(None)) is None
    return done.text.removeprefix(BUILDER)


def stage(*lines: str) -> str:
    return "\n".join(["FROM python:3.12-slim", *lines, ""])


def test_the_user_comes_before_the_copy() -> None:
    assert after(
        stage(
            "WORKDIR /app",
            "# Only the environment comes over",
            "COPY --from=builder /opt/venv /opt/venv",
            "COPY . .",
            "# Not root",
            "RUN useradd app && chown -R app:app /opt/venv /app",
            "USER app",
        )
    ) == stage(
        "WORKDIR /app",
        "",
        "# Not root",
        "RUN useradd app && chown app:app /app",
        "",
        "# Only the environment comes over",
        "COPY --from=builder --chown=app:app /opt/venv /opt/venv",
        "COPY --chown=app:app . .",
        "USER app",
    )


def test_directories_that_mkdir_made_stay_writable() -> None:
    text = after(
        stage("WORKDIR /app", "COPY . .", "RUN useradd app && mkdir -p logs data/in && chown -R app /app")
    )
    assert text
    assert "COPY --chown=app:root . ." in text
    assert "mkdir -p logs data/in && chown app /app /app/logs /app/data /app/data/in" in text


def test_what_another_command_wrote_is_found() -> None:
    assert after(
        stage(
            "WORKDIR /app",
            "COPY . .",
            "RUN python manage.py collectstatic",
            "RUN chown -R www-data:www-data .",
        )
    ) == stage(
        "WORKDIR /app",
        "COPY --chown=www-data:www-data . .",
        "RUN python manage.py collectstatic",
        "RUN find /app ! -user www-data -exec chown -h www-data:www-data {} +",
    )


def test_modes_become_a_flag_too() -> None:
    assert after(
        stage(
            "COPY --from=builder /opt/venv /opt/venv",
            "RUN chown -R 1000:1000 /opt/venv && chmod -R 755 /opt/venv",
        )
    ) == stage("COPY --from=builder --chown=1000:1000 --chmod=755 /opt/venv /opt/venv")


def test_symbolic_modes_stay() -> None:
    assert after(stage("COPY . /app", "RUN chmod -R u+rwX /app")) is None


def test_a_chown_replaces_another_owner() -> None:
    assert after(stage("COPY --chown=1:1 . /app", "RUN chown -R 1000:1000 /app")) == stage(
        "COPY --chown=1000:1000 . /app"
    )


def test_other_commands_of_the_run_stay_where_they_are() -> None:
    assert after(
        stage(
            "WORKDIR /app",
            "COPY . .",
            "RUN chmod +x run.sh && useradd app && chown -R app:app . && ./run.sh init",
        )
    ) == stage(
        "WORKDIR /app",
        "",
        "RUN useradd app",
        "",
        "COPY --chown=app:app . .",
        "RUN chmod +x run.sh && chown app:app /app && ./run.sh init",
    )


def test_a_user_made_with_a_later_argument_cannot_move() -> None:
    assert after(stage("COPY . /app", "ARG NAME=app", "RUN useradd $NAME && chown -R app:app /app")) is None


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["WORKDIR /app", "COPY . .", "RUN chown -R 1000:1000 /app/data"], id="partly covered"),
        pytest.param(["COPY . /app", "RUN chown -R 1000:1000 /data"], id="nothing copied there"),
        pytest.param(["COPY . /app", "RUN chown 1000:1000 /app"], id="not recursive"),
        pytest.param(["COPY . /app", "RUN cd /app && chown -R 1000:1000 ."], id="after cd"),
        pytest.param(["COPY . /app", "RUN chown -R $(id -u) /app"], id="an owner that only the shell knows"),
        pytest.param(["COPY . /app", "RUN chown -R 1000:1000 /app/*"], id="a glob"),
        pytest.param(
            ["COPY . /app", "RUN if true; then chown -R --reference=/etc /app; fi"], id="a reference"
        ),
        pytest.param(["COPY --link . /app", "RUN useradd app && chown -R app:app /app"], id="linked"),
        pytest.param(["RUN chown -R 1000:1000 /app", "COPY . /app"], id="before the copy"),
        pytest.param(["COPY . /app", "RUN chown -R a.b /app"], id="an owner and a group in the old form"),
        pytest.param(["ADD a.tar.gz /app/", "RUN chown -R 1000:1000 /app"], id="an archive that is unpacked"),
        pytest.param(["ADD https://example.org/x /app/", "RUN chown -R 1:1 /app"], id="fetched"),
        pytest.param(["COPY . /app", "RUN test -d /app && chown -R 1:1 /app"], id="under a condition"),
        pytest.param(["COPY . /app", "RUN ./setup.sh && chown -R app:app /app"], id="a user from a script"),
        pytest.param(
            ["COPY . /app", "RUN apt-get install -y nginx", "RUN chown -R nginx:nginx /app"],
            id="a user from a package",
        ),
        pytest.param(["COPY . /app", "COPY passwd /etc/passwd", "RUN chown -R app /app"], id="a copied user"),
        pytest.param(["COPY . /app", "ENV U=app", "RUN chown -R $U /app"], id="a variable set later"),
        pytest.param(
            ["COPY . /app", "RUN apt-get install -y docker.io && useradd -G docker u && chown -R u:u /app"],
            id="a group from a package",
        ),
        pytest.param(
            ["COPY . /app", "RUN apt-get install -y adduser", "RUN adduser u && chown -R u:u /app"],
            id="a command from a package",
        ),
        pytest.param(
            ["COPY . /app", "RUN (grep u /x || useradd u) && chown -R u:u /app"], id="a user made sometimes"
        ),
        pytest.param(["COPY . /app", "RUN git -C /app log", "RUN chown -R 1:1 /app"], id="git on the way"),
    ],
)
def test_is_left_alone(lines: list[str]) -> None:
    assert after(stage(*lines)) is None


def test_of_several_paths_only_the_copied_ones_are_replaced() -> None:
    assert after(stage("COPY . /app", "RUN mkdir /data && chown -R 1000:1000 /app /data")) == stage(
        "COPY --chown=1000:1000 . /app", "RUN mkdir /data && chown -R 1000:1000 /data"
    )


def test_says_whether_an_environment_is_among_them() -> None:
    text = stage("COPY --from=builder /opt/venv /opt/venv", "RUN chown -R 1000:1000 /opt/venv")
    dockerfile = Dockerfile.parse(BUILDER + text)
    done = hand_over(dockerfile, dockerfile.stage(None))
    assert done
    assert done.from_stages


def test_numbers_need_no_user_before_the_copy() -> None:
    run = "RUN useradd -u 1000 app && chown -R 1000:1000 /app"
    assert after(stage("COPY . /app", run)) == stage(
        "COPY --chown=1000:1000 . /app", "RUN useradd -u 1000 app"
    )


def test_a_user_of_the_image_is_there() -> None:
    text = after(stage("COPY . /app", "RUN apt-get update", "RUN chown -R www-data:www-data /app"))
    assert text == stage("COPY --chown=www-data:www-data . /app", "RUN apt-get update")


def test_a_group_that_is_made_before_counts_beside_packages() -> None:
    lines = [
        "COPY . /app",
        "RUN apt-get install -y jq",
        "RUN groupadd g && useradd -g g u && chown -R u:g /app",
    ]
    assert "RUN groupadd g && useradd -g g u\n\nCOPY --chown=u:g . /app" in (after(stage(*lines)) or "")


def test_directories_above_a_workdir_change_hands() -> None:
    assert after(stage("WORKDIR /data/a/b", "COPY . .", "RUN chown -R 1:1 /data")) == stage(
        "WORKDIR /data/a/b", "COPY --chown=1:1 . .", "RUN chown 1:1 /data /data/a /data/a/b"
    )


def test_a_directory_that_every_image_has_changes_hands() -> None:
    assert after(stage("COPY . /srv", "RUN chown -R 1:1 /srv")) == stage(
        "COPY --chown=1:1 . /srv", "RUN chown 1:1 /srv"
    )


def test_a_mode_of_directories_that_copy_makes() -> None:
    lines = ["COPY src /data/in/", "COPY run.sh /data/run.sh", "RUN chmod -R 770 /data"]
    assert after(stage(*lines)) == stage(
        "COPY --chmod=770 src /data/in/",
        "COPY --chmod=770 run.sh /data/run.sh",
        "RUN chmod 770 /data /data/in",
    )


def test_says_whether_find_still_looks() -> None:
    cases = (
        ("RUN python collect.py", True),
        ("RUN apt-get update", False),
        ("RUN echo 1 > /app/version", True),
        ("RUN echo 1 > $FILE", True),
        ("RUN echo 1 2>/dev/null >&2", False),
        ("WORKDIR /app\nRUN pip install -e .[all]", True),
        ("WORKDIR /app\nRUN pip install -r requirements.txt", False),
    )
    for run, searched in cases:
        dockerfile = Dockerfile.parse(stage("COPY . /app", run, "RUN chown -R 1:1 /app"))
        done = hand_over(dockerfile, dockerfile.stage(None))
        assert done
        assert done.searched is searched, run


def test_only_the_user_goes_in_front_where_another_run_makes_the_directories() -> None:
    lines = ["WORKDIR /app", "COPY . .", "RUN mkdir -p logs", "# Not root"]
    assert after(stage(*lines, "RUN useradd u && chown -R u:u /app", "USER u")) == stage(
        "WORKDIR /app",
        "",
        "# Not root",
        "RUN useradd u",
        "",
        "COPY --chown=u:u . .",
        "RUN mkdir -p logs",
        "RUN chown u:u /app /app/logs",
        "USER u",
    )


@pytest.mark.parametrize(
    ("lines", "stays"),
    [
        pytest.param(["WORKDIR /app", "COPY . .", "chmod +x run.sh"], "chmod +x run.sh", id="a copied file"),
        pytest.param(
            ["WORKDIR /app", "COPY in in", "mkdir in/x"], "mkdir in/x", id="in a directory that COPY makes"
        ),
        pytest.param(
            ["COPY in /app/in/", "true"], "chown u:u /app", id="a directory that COPY makes on its way"
        ),
        pytest.param(
            ["WORKDIR /app", "COPY . .", "mkdir -p x && chmod 777 x"],
            "chmod 777 x",
            id="a mode that COPY sets",
        ),
    ],
)
def test_what_needs_the_copies_stays_behind_them(lines: list[str], stays: str) -> None:
    *copy, command = lines
    text = after(stage(*copy, f"RUN useradd u && {command} && chown -R u:u /app"))
    assert text
    assert text.index("RUN useradd u\n") < text.index("COPY --chown=u:u") < text.index(stays)


def test_makes_a_user_once_where_nothing_is_left_behind() -> None:
    text = after(stage("COPY . /app", "WORKDIR /srv/x", "RUN useradd u && chown -R u:u /app"))
    assert text == stage("RUN useradd u", "", "COPY --chown=u:u . /app", "WORKDIR /srv/x")


@pytest.mark.parametrize(
    "made",
    [
        pytest.param("mkdir -p tmp && rm -rf tmp", id="taken out again"),
        pytest.param("mkdir -p tmp && rm -rf t*", id="taken out by a pattern"),
        pytest.param('mkdir -p tmp && rm -rf "$OLD"', id="who knows what is taken out"),
        pytest.param("if [ -d x ]; then mkdir tmp; fi", id="only sometimes"),
    ],
)
def test_a_directory_that_may_not_be_there_is_looked_for(made: str) -> None:
    text = after(stage("WORKDIR /app", "COPY . .", f"RUN {made}", "RUN chown -R 1:1 /app")) or ""
    assert "RUN find /app ! -user 1" in text


def test_the_mode_of_mkdir_is_no_directory() -> None:
    text = after(stage("WORKDIR /app", "COPY . .", "RUN mkdir -m 700 logs && chown -R 1:1 /app")) or ""
    assert "mkdir -m 700 logs && chown 1:1 /app /app/logs\n" in text


def test_what_an_inherited_stage_copied_is_looked_for() -> None:
    base = ["FROM python:3.12-slim AS base", "WORKDIR /app", "COPY requirements.txt .", "", "FROM base", ""]
    text = after("\n".join([*base, "COPY . .", "RUN chown -R 1:1 /app", ""]))
    assert text == "\n".join(
        [*base, "COPY --chown=1:1 . .", "RUN find /app ! -user 1 -exec chown -h 1:1 {} +", ""]
    )
    assert after("\n".join([*base, "RUN chown -R 1:1 /app", ""])) is None


def test_a_comment_that_the_move_makes_untrue_goes() -> None:
    lines = ["COPY . /app", "# Make the user after sources exist", "RUN useradd u && chown -R u:u /app"]
    assert after(stage(*lines)) == stage(
        "# Made before the first COPY that names it.", "RUN useradd u", "", "COPY --chown=u:u . /app"
    )


def test_what_stays_recursive_reaches_what_other_steps_write_on_the_way() -> None:
    run = "RUN mkdir -p /data && useradd u && chown -R u:u /app /data"
    text = after(stage("RUN mkdir /data", "COPY . /app", "RUN cp /etc/hosts /data/hosts", run)) or ""
    assert (
        text.index("RUN useradd u\n")
        < text.index("COPY")
        < text.index("RUN cp")
        < text.index("chown -R u:u /data")
    )
