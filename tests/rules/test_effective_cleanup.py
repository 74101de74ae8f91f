"""Clean-up: where it goes, how the two traps are repaired, what stays and why, what it predicts."""

from __future__ import annotations

import pytest
from asking import Asking, view_of
from msgspec.structs import replace

from phasewise.model.census import Census, Distribution, Layer
from phasewise.model.repo import RepoView
from phasewise.rules.effective_cleanup import EffectiveCleanup

RULE = EffectiveCleanup()
FIRES = [pytest.param(example.before, id=example.title) for example in RULE.FIRES]
COPIED = (
    "FROM python:3.12-slim AS builder\nRUN python -m venv /opt/venv && /opt/venv/bin/pip install numpy\n{}\n"
)
COPIED += "FROM python:3.12-slim\nCOPY --from=builder /opt/venv /opt/venv\n{}\n"


def view(text: str, census: Census | None = None) -> RepoView:
    return view_of(text, census=census)


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


def one_stage(*lines: str) -> str:
    return "\n".join(["FROM python:3.12-slim", *lines, ""])


@pytest.mark.parametrize(
    ("trap", "expected"),
    [
        (
            'find /opt/venv -type d -name "tests" -o -name "test" | xargs rm -rf',
            "find /opt/venv -type d \\( -name tests -o -name test \\) -prune -exec rm -rf {} +",
        ),
        (
            "find /opt/venv -type f -name '*.pyc' -o -name '*.pyo' -delete",
            "find /opt/venv -type f \\( -name '*.pyc' -o -name '*.pyo' \\) -exec rm -rf {} +",
        ),
        (
            "find /opt/venv -type d -name tests -o -type f -name '*.pyc' -exec rm -rf {} +",
            "find /opt/venv \\( -type d -name tests -o -type f -name '*.pyc' \\) -prune -exec rm -rf {} +",
        ),
        (
            "find /opt/venv -name tests -o -name '*.dist-info' | xargs rm -rf",
            "find /opt/venv \\( -name tests \\) -prune -exec rm -rf {} +",
        ),
        (
            "rm -rf /opt/venv/lib/python*/site-packages/{pip,wheel}*",
            "/opt/venv/bin/python -m pip uninstall -y wheel pip",
        ),
    ],
)
def test_traps_are_repaired_where_they_stand(trap: str, expected: str) -> None:
    assert f"RUN {expected}\n" in after(COPIED.format(f"RUN {trap}", ""))


@pytest.mark.parametrize(
    "sound",
    [
        "find /opt/venv -name '*.pyc' -o -name '*.pyo' | xargs rm -f",
        "find /opt/venv -type d -name a -o -type f -name b | xargs rm -rf",
        "find /opt/venv \\( -name a -o -name b \\) -delete",
    ],
)
def test_tests_that_bind_as_they_read_are_left_alone(sound: str) -> None:
    assert "no clean-up" in reason(COPIED.format(f"RUN {sound}", ""))


def test_bytecode_that_goes_is_a_price_of_every_start() -> None:
    found = phase(COPIED.format("", "RUN find /opt/venv -name __pycache__ -exec rm -rf {} +"))
    assert found.costs_start_up
    assert "compiles what it imports" in found.costs


def test_traps_are_repaired_beside_an_install_too() -> None:
    text = after(
        one_stage("RUN pip install numpy && find /usr/local -type d -name tests -o -name test | xargs rm -rf")
    )
    assert text.endswith("-type d \\( -name tests -o -name test \\) -prune -exec rm -rf {} +\n")


def test_the_traps_are_named() -> None:
    traps = (
        "RUN find /opt/venv -type d -name a -o -name b | xargs rm -rf && rm -rf /opt/venv/lib/{pip,wheel}*"
    )
    why = phase(COPIED.format(traps, "")).why
    assert "`-o` binds weaker" in why
    assert "`{pip,wheel}*` does nothing in sh" in why


def test_metadata_is_never_deleted() -> None:
    text = COPIED.format("", "RUN find /opt/venv -name '*.dist-info' -exec rm -rf {} +")
    assert "dist-info" not in after(text)
    assert "Deleting dist-info breaks" in phase(text).why


def test_every_step_that_installs_cleans_up_after_itself() -> None:
    text = after(one_stage("RUN pip install a", "RUN pip install b", "RUN find /usr/local -name x -delete"))
    assert text.count("find /usr/local -name x -delete") == 2
    assert text.count("RUN") == 2


def test_a_step_behind_the_install_is_not_moved_into_a_background_job() -> None:
    assert "cannot be continued" in reason(
        one_stage("RUN pip install a &", "RUN find /usr/local -name x -delete")
    )


def test_two_environments_leave_the_path_open() -> None:
    text = one_stage(
        "RUN pip install --target /a x", "RUN pip install --target /b x", "RUN rm -rf /usr/local/x"
    )
    assert "line 4 removes /usr/local/x" in reason(text)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["RUN apt-get install -y a", "RUN rm -rf /var/lib/apt/lists/*", "RUN apt-get install -y b"],
            "fills",
        ),
        (["RUN apt-get update", "RUN apt-get install -y b", "RUN apt-get clean"], "needs the lists"),
        (["RUN --mount=type=cache,target=/root/.cache pip install a", "RUN pip cache purge"], "cache mount"),
        (
            ["COPY . /srv", "RUN rm -rf /srv/tests && apt-get clean"],
            "line 3 removes /srv/tests and /var/cache/apt in a later layer, which frees nothing, and stays: whether an "
            "install of packages wrote /srv/tests is not certain",
        ),
        (
            ["RUN apt-get update && pip install a", "RUN rm -rf /var/lib/apt/lists/* /root/.cache"],
            "line 3 removes /var/lib/apt/lists/* and /root/.cache in a later layer, which frees nothing, and stays: "
            "these caches may have been filled by different steps",
        ),
        (
            ["RUN apt-get install -y gcc", "RUN apt remove -y gcc && rm -rf ~/.cache"],
            "it also runs `apt remove -y`",
        ),
        (["RUN rm -rf /a /b /c /d"], "line 2 removes /a, /b, /c and more"),
        (["RUN pip install a &", "RUN rm -rf ~/.cache/pip"], "which step filled ~/.cache/pip"),
        (["RUN apt-get update && apt-get install -y a && rm -rf /var/lib/apt/lists/*"], "no clean-up"),
        (["RUN rm -rf /srv/x && ln -s /data /srv/x"], "no clean-up"),
    ],
)
def test_declines_with_the_reason(lines: list[str], said: str) -> None:
    assert said in reason(one_stage(*lines))


def test_a_cache_that_is_emptied_already_is_not_emptied_twice() -> None:
    text = one_stage("RUN pip install a && rm -rf /root/.cache", "RUN rm -rf /root/.cache")
    assert after(text) == one_stage("RUN pip install a && rm -rf /root/.cache")


class TestBytes:
    TEXT = RULE.FIRES[0].before

    def census(self) -> Census:
        layer = Layer(
            "RUN /bin/sh -c find /usr/local -depth     \\( -type d \\( -name test -o -name tests \\) \\)"
            "     -exec rm -rf '{}' + || true # buildkit",
            0,
        )
        return Census(9, (layer,), 9, test_bytes={"/opt/venv": 1_500_000, "/usr/local": 7})

    def test_says_what_the_present_one_removes(self) -> None:
        why = phase(self.TEXT, self.census()).why
        assert "it removes 0 B from the image" in why
        assert "its own layer is 0 B" in why
        assert "looks in /usr/local, but the packages are in /opt/venv" in why

    def test_predicts_what_the_census_has_at_the_right_path(self) -> None:
        assert phase(self.TEXT, self.census()).predicted.image_bytes == -1_500_000

    @pytest.mark.parametrize(
        ("named", "more", "saved"),
        [
            ("-name tests", "", 100 + 20),
            ("-name tests", "RUN python -m compileall -b /opt/venv\n", 100 + 20 + 3),
            ("-name tests -o -name __pycache__", "", 100 + 50),
            ("-name tests -o -name '*.pyc'", "", 100 + 50 + 7),
        ],
    )
    def test_bytecode_of_tests_is_counted_once(self, named: str, more: str, saved: int) -> None:
        census = replace(
            self.census(),
            test_bytes={"/opt/venv": 100},
            test_bytecode_bytes={"/opt/venv": 20},
            bytecode_bytes={"/opt/venv": 50},
            test_legacy_bytecode_bytes={"/opt/venv": 3},
            legacy_bytecode_bytes={"/opt/venv": 7},
        )
        text = self.TEXT.replace("-name tests", named).replace("\nFROM", f"\n{more}FROM")
        assert phase(text, census).predicted.image_bytes == -saved

    def test_predicts_what_moved_packages_had_where_they_were(self) -> None:
        site = "/usr/local/lib/python3.12/site-packages"
        packages = (Distribution("numpy", "2", site, 9_000_000),)
        census = replace(self.census(), distributions=packages, test_bytes={site: 1_500_000})
        assert phase(self.TEXT, census).predicted.image_bytes == -1_500_000

    def test_predicts_nothing_without_a_census(self) -> None:
        assert phase(self.TEXT).predicted.image_bytes is None

    def test_names_the_price_of_removing_tests(self) -> None:
        assert "import their own tests" in phase(self.TEXT).costs


def test_sources_are_not_deleted_before_they_are_compiled() -> None:
    site = "/usr/local/lib/python3.12/site-packages"
    steps = [
        "RUN pip install six",
        f"RUN python -m compileall -b {site}",
        f"RUN find {site} -name '*.py' -delete",
    ]
    assert "line 4 deletes sources" in reason("\n".join(["FROM python:3.12-slim", *steps, ""]))


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            ["COPY wheels /wheels", "RUN pip install /wheels/* && rm -rf /wheels"],
            "line 3 removes /wheels, which the COPY of line 2 brought",
        ),
        (
            ["WORKDIR /app", "COPY a.whl .", "RUN pip install a.whl && rm -f *.whl a.whl"],
            "line 4 removes a.whl, which the COPY of line 3 brought",
        ),
        (
            [
                "WORKDIR /app",
                "COPY docker/ ./docker/",
                "RUN cd docker && cp a /etc/a && cd .. && rm docker -rf",
            ],
            "line 4 removes docker, which the COPY of line 3 brought",
        ),
    ],
)
def test_says_that_what_a_copy_brought_stays_in_its_layer(steps: list[str], said: str) -> None:
    assert said in reason(one_stage(*steps))


def test_what_is_written_in_the_same_layer_is_no_copy() -> None:
    steps = ["COPY a.txt /a.txt", "RUN mkdir /tmp/b && rm -rf /tmp/b"]
    assert "no clean-up stands in a later layer" in reason(one_stage(*steps))


def test_says_that_a_search_does_not_remove_the_directory() -> None:
    text = one_stage("COPY . /app", "RUN find /app -name '*.pyc' -delete")
    assert "line 3 deletes what it finds in /app in a later layer" in reason(text)


def test_does_not_say_that_what_is_left_out_moves() -> None:
    site = "/usr/local/lib/python3.12/site-packages"
    text = one_stage("RUN pip install six", f"RUN rm -rf {site}/six-1.17.0.dist-info")
    assert "It moves" not in phase(text).why
    assert "that is left out" in phase(text).why
