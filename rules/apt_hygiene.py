"""Installs Debian packages without what they only recommend, lists and all in one layer."""

from __future__ import annotations

from collections.abc import Callable

from phasewise.model.debian.apt import apt_commands
from phasewise.model.debian.apt_lists import join_updates, remove_lists
from phasewise.model.debian.apt_merge import mergeable
from phasewise.model.debian.apt_recommended import leave_out_recommended
from phasewise.model.debian.tidying import Tidied, needed_scripts
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.rules.base import Example, Picks, Rule


class AptHygiene(Rule):
    """apt installs what packages recommend, and its lists stay in the layer that fetched them. So: one RUN that
    updates, installs with `--no-install-recommends` and removes the lists; `apt-get update` in a RUN of its own is
    cached while the install behind it is not, which then asks for packages that are gone.

    What came only as a recommendation and is used is named explicitly: libc6-dev beside gcc, which cannot compile
    without (measured: `stdio.h: No such file`); ca-certificates on base images that have none; an ssh client where git
    uses ssh, unzip beside zip, gpg beside build-essential where something calls them; libraries and a font that came
    with compilers by way of libc-devtools, where the measured image loads them. Packages whose recommendations are not
    known here are left as they are. Neighbouring RUNs that only install become one. Comments in lists stay.

    Lists stay where a script, xargs or the running container may install with them.

    hadolint: DL3015 (recommendations), DL3009 (lists), DL3059 (several RUNs); DL3008 (versions) is left alone, since
    Debian removes old versions from its archive. BuildKit's checks have no rule for it. The advice to join update and
    install is from Docker's own best practices.
    """

    title = "Tidy apt installs"
    risk = Risk.CHECK
    order = 35

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        text, told, kept = _tidied(view)
        if text == view.dockerfile.text:
            return self.declined("; ".join(kept) or _why_not(view))
        return Phase(
            id=self.id,
            title=self.title,
            why="\n\n".join([*told, *(f"Left alone: {reason}." for reason in kept)]),
            edits=(FileEdit(view.dockerfile.path, view.dockerfile.text, text),),
            evidence=tuple(view.evidence(view.dockerfile.path, line) for line in _lines(view, text)),
            risk=self.risk,
            predicted=Prediction(
                None, "which packages were only recommended is known once it is built without them"
            ),
        )

    FIRES = (
        Example(
            title="everything at once",
            before="FROM debian:bookworm-slim\nRUN apt-get update\nRUN apt-get install -y \\\n    # to fetch\n"
            "    curl \\\n    # to compile\n    gcc\n# Runs\nRUN apt-get update && apt-get install -y libpq5\n"
            "RUN curl -fsSLO https://example.org/x.tar.gz\n",
            after="FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y --no-install-recommends \\\n"
            "    # to fetch\n    curl \\\n    # to compile\n    gcc \\\n    ca-certificates \\\n    libc6-dev \\\n"
            "    # Runs\n    libpq5 && \\\n    rm -rf /var/lib/apt/lists/*\n"
            "RUN curl -fsSLO https://example.org/x.tar.gz\n",
        ),
        Example(
            title="in a heredoc",
            before="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\napt-get install -y curl\nEOF\n",
            after="FROM python:3.12-slim\nRUN <<EOF\nset -e\napt-get update\n"
            "apt-get install -y --no-install-recommends curl\nrm -rf /var/lib/apt/lists/*\nEOF\n",
        ),
        Example(
            title="an update with something in between",
            before="FROM python:3.12-slim\nRUN apt-get update\nWORKDIR /srv\n"
            "RUN apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*\n",
            after="FROM python:3.12-slim\nWORKDIR /srv\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y --no-install-recommends tini \\\n"
            "    && rm -rf /var/lib/apt/lists/*\n",
            title="done already",
        ),
        Example(
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/var/lib/apt \\\n"
            "    apt-get update && apt-get install -y --no-install-recommends tini\n",
            title="lists in a cache mount",
        ),
        Example(
            "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y texlive && rm -rf /var/lib/apt/lists/*\n",
            title="recommendations that are not known",
        ),
        Example("FROM python:3.12-alpine\nRUN apk add curl\n", title="another package manager"),
    )


def _tidied(view: RepoView) -> tuple[str, list[str], list[str]]:
    """The text after each step on what the one before left, what they say, and what they leave alone."""
    told: dict[str, None] = {}
    kept: dict[str, None] = {}
    text = _step(view, view.dockerfile.text, join_updates, told, kept)
    text = _step(view, text, leave_out_recommended, told, kept)
    while text != (merged := _step(view, text, _merge, told, kept)):
        text = merged
    return _step(view, text, remove_lists, told, kept), list(told), list(kept)


def _step(
    view: RepoView,
    text: str,
    step: Callable[[RepoView, Dockerfile], Tidied],
    told: dict[str, None],
    kept: dict[str, None],
) -> str:
    tidied = step(view, Dockerfile.parse(text, view.target.dockerfile))
    kept |= dict.fromkeys(tidied.kept)
    if not tidied.edits:
        return text
    told[tidied.told] = None
    return apply_edits(text, tidied.edits)


def _merge(view: RepoView, dockerfile: Dockerfile) -> Tidied:
    return Tidied(
        mergeable(view, dockerfile),
        "Installs in neighbouring RUNs become one layer, which fetches the lists once.",
    )


def _lines(view: RepoView, after: str) -> list[int]:
    """The lines of the apt commands whose RUN is not there any more as it was."""
    kept = {i.span.of(after) for i in Dockerfile.parse(after, view.target.dockerfile).instructions}
    return [
        script.instruction.line
        for script in needed_scripts(view, view.dockerfile)
        if apt_commands(script, "update", "install")
        and script.instruction.span.of(view.dockerfile.text) not in kept
    ]


def _why_not(view: RepoView) -> str:
    if any(apt_commands(script, "install") for script in needed_scripts(view, view.dockerfile)):
        return "every apt install updates, leaves recommendations out and removes the lists in one RUN"
    return "nothing is installed with apt"
