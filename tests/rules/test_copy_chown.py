"""Owners set by COPY: what still changes hands, what is left alone and why, what it predicts."""

from __future__ import annotations

import pytest
from asking import Asking, repository

from phasewise.model.census import Census, Layer
from phasewise.model.phase import Declined, Phase
from phasewise.model.repo import RepoView
from phasewise.rules.copy_chown import CopyChown
from phasewise.rules.drop_compileall import DropCompileall
from phasewise.rules.split_base_builder import SplitBaseBuilder

RULE = CopyChown()
MB = 1_000_000


def view(text: str, census: Census | None = None, **files: str) -> RepoView:
    texts = {
        "Dockerfile": text,
        **{name.replace("_toml", ".toml"): content for name, content in files.items()},
    }
    return repository(texts, census)


ask = Asking(RULE, view)
phase, after, reason = ask.phase, ask.after, ask.reason


def lines(*given: str) -> str:
    return "\n".join(["FROM python:3.12-slim", *given, ""])


def test_files_of_a_base_image_that_is_not_known_still_change_hands() -> None:
    text = "FROM example.org/team/base:1\nCOPY . /srv\nRUN chown -R 1000:1000 /srv\n"
    assert "RUN find /srv ! -user 1000 -exec chown -h 1000:1000 {} +" in after(text)


def test_files_of_the_system_still_change_hands() -> None:
    text = lines("COPY site /usr/share/site", "RUN chown -R 33:33 /usr/share")
    assert "RUN find /usr/share ! -user 33" in after(text)


def test_says_what_becomes_of_directories_that_no_copy_makes() -> None:
    made = lines("RUN mkdir -p /srv/data", "COPY app /srv/app", "RUN chown -R 1000:1000 /srv")
    assert "RUN chown 1000:1000 /srv /srv/data" in after(made)
    assert "the files in it have theirs from COPY" in phase(made).why


def test_a_linked_copy_takes_numbers_but_no_names() -> None:
    assert "--link --chown=1000:0 . /srv" in after(lines("COPY --link . /srv", "RUN chown -R 1000 /srv"))
    named = lines("COPY --link . /srv", "RUN useradd app && chown -R app:app /srv")
    assert "the COPY of line 2 has --link, which knows no names" in reason(named)


def test_a_group_that_the_command_would_not_have_changed_stays() -> None:
    assert "stays" in reason(lines("COPY --chown=1:1 . /srv", "RUN chown -R 1000 /srv"))


def test_the_login_group_is_known_only_when_the_user_has_one_of_its_own() -> None:
    assert "--chown=app:app" in after(lines("COPY . /srv", "RUN useradd app && chown -R app: /srv"))
    assert "stays" in reason(lines("COPY . /srv", "RUN useradd -g www-data app && chown -R app: /srv"))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("RUN chmod -R u+rwX /srv", "what u+rwX means depends on each file"),
        ("RUN test -d /srv && chown -R 1:1 /srv", "does not run in every build"),
        ("RUN ls /x || chown -R 1:1 /srv", "does not run in every build"),
        ("RUN for d in a b; do chown -R 1:1 /srv; done", "does not run in every build"),
        (
            "RUN chown -R 1:1 /srv/data",
            "/srv/data may be just a part of what the COPY of line 2 brings to /srv",
        ),
        ("RUN mkdir /data && chown -R 1:1 /data", "no COPY before it in its stage lies wholly"),
        ("RUN cd /tmp && chown -R 1:1 /srv", "the same step changes the directory"),
        ("RUN chown -R --from=0:0 1:1 /srv", "its options mean something else"),
        ("RUN chown -R $(id -u) /srv", "only the shell knows the owner"),
        ("RUN chown -R 1:1 /srv/*", "only the shell knows what /srv/* is"),
        ("RUN git -C /srv log\nRUN chown -R 1:1 /srv", "git or npm run between it and the COPY of line 2"),
        (
            "RUN ./setup.sh && chown -R app:app /srv",
            "what makes app:app may need steps behind the COPY of line 2",
        ),
        ("ADD a.tar.gz /srv/\nRUN chown -R 1:1 /srv", "the ADD of line 3 unpacks or fetches files"),
        ("ENV U=app\nRUN chown -R $U:$U /srv", "$U:$U means something else at the COPY of line 2"),
        ("RUN chown 1:1 /srv", "nothing changes the owner or mode"),
    ],
)
def test_declines_with_the_line_and_the_reason(run: str, said: str) -> None:
    assert said in reason(lines("COPY . /srv", run))


def test_a_version_that_git_tells() -> None:
    text = lines("WORKDIR /app", "COPY . .", "RUN pip install .", "RUN chown -R 1000:1000 /app")
    for tool, expected in (("setuptools-scm", Declined), ("setuptools", Phase)):
        pyproject = f'[build-system]\nrequires = ["{tool}"]\n'
        assert isinstance(RULE.propose(view(text, pyproject_toml=pyproject), {}), expected)


def test_a_version_that_git_tells_is_the_reason() -> None:
    text = lines("WORKDIR /app", "COPY . .", "RUN pip install .", "RUN chown -R 1000:1000 /app")
    pyproject = '[build-system]\nrequires = ["setuptools-scm"]\n'
    assert "stays: an install on the way asks git" in reason(view(text, pyproject_toml=pyproject))


def test_leaves_alone_what_copy_has_set_beside_the_files_of_other_steps() -> None:
    model = "RUN python -c 'import model'"
    given = ("WORKDIR /app", model, "COPY --chown=1:1 main.py .", "RUN chown -R 1:1 /app")
    assert "stays: the COPYs before it set that already" in reason(lines(*given))
    whole = phase(lines(*given).replace("main.py .", ". .")).why
    assert "COPY sets the owner already, and each file that it copies is written once" in whole
    assert "writes them a second time, as now" in whole


def test_says_what_the_flags_set() -> None:
    modes = phase(lines("COPY a /srv/a", "COPY b /srv/b", "RUN chmod -R 750 /srv/a /srv/b")).why
    assert "The 2 COPYs set the mode instead, and each file that they copy is written once" in modes
    both = phase(lines("COPY a /srv/a", "RUN chown -R 1:1 /srv/a && chmod -R 750 /srv/a")).why
    assert "COPY sets the owner and mode instead" in both


class TestPrediction:
    COPIED = ("COPY . /srv", "RUN useradd app \\\n    && chown -R app:app /srv")
    LAYER = Layer("RUN /bin/sh -c useradd app     && chown -R app:app /srv # buildkit", 40 * MB)

    def predicted(self, *given: str, layer: Layer = LAYER) -> int | None:
        census = Census(100 * MB, (Layer("COPY . /srv # buildkit", 39 * MB), layer), 60 * MB)
        return phase(view(lines(*given), census)).predicted.image_bytes

    def test_is_the_layer_that_writes_the_files_again(self) -> None:
        assert self.predicted(*self.COPIED) == -40 * MB

    def test_bytecode_goes_once_whichever_phase_takes_it(self) -> None:
        layers = (Layer("COPY . /srv # buildkit", 39 * MB), self.LAYER)
        census = Census(100 * MB, layers, 60 * MB, legacy_bytecode_bytes={"/srv/lib": 7 * MB})
        compiling = lines(self.COPIED[0], "RUN python -m compileall -b /srv", *self.COPIED[1:])
        dropped = DropCompileall().propose(view(compiling, census), {})
        assert isinstance(dropped, Phase)
        assert dropped.predicted.image_bytes == -14 * MB
        assert sum(dropped.predicted.parts.values()) == 7 * MB
        without = view(compiling, census).with_edits(dropped.edits)
        assert phase(without).predicted.image_bytes == -33 * MB

    def test_is_named_in_the_reason(self) -> None:
        census = Census(100 * MB, (self.LAYER,), 60 * MB)
        assert "(40 MB in the baseline)" in phase(view(lines(*self.COPIED), census)).why

    def test_a_heredoc_is_found_by_its_body(self) -> None:
        run = "RUN <<EOF\nuseradd app\nchown -R app:app /srv\nEOF"
        layer = Layer("RUN /bin/sh -c useradd app\nchown -R app:app /srv\n # buildkit", 40 * MB)
        assert self.predicted("COPY . /srv", run, layer=layer) == -40 * MB

    def test_a_layer_that_holds_more_gives_none(self) -> None:
        run = "RUN pip install x && chown -R 1:1 /srv"
        assert self.predicted("COPY . /srv", run, layer=Layer(f"/bin/sh -c {run[4:]}", 40 * MB)) is None

    def test_without_a_census_there_is_none(self) -> None:
        assert phase(view(lines(*self.COPIED))).predicted.image_bytes is None


def test_the_split_behind_it_has_no_owners_left_to_set() -> None:
    for example in SplitBaseBuilder.FIRES:
        seen = view(example.before)
        answer = RULE.propose(seen, {})
        if isinstance(answer, Phase):
            split = SplitBaseBuilder().propose(seen.with_edits(answer.edits), {})
            assert isinstance(split, Declined) or "chown or chmod" not in split.why


def test_a_skipped_phase_leaves_the_owners_to_the_split() -> None:
    seen = view(SplitBaseBuilder.FIRES[3].before)
    assert isinstance(RULE.propose(seen, {}), Phase)
    split = SplitBaseBuilder().propose(seen, {})
    assert isinstance(split, Phase)
    assert split.title == "Copy files as their owner"
