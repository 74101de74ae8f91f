"""Keeps what pip, uv, poetry, npm and apt download from build to build, in cache mounts."""

from __future__ import annotations

from collections.abc import Sequence

from phasewise.model.builds.classic_builder import without_mounts
from phasewise.model.downloads.apt import lists_are_fetched_where_used
from phasewise.model.downloads.mounting import Mounting, mounting
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk
from phasewise.model.repo import RepoView
from phasewise.model.text import apply_edits
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule


class CacheMounts(Rule):
    """`--no-cache-dir` keeps downloads out of the image, and throws them away: whenever a requirement changes,
    all packages are downloaded again. A cache mount keeps them out of the image and beside it.

    It saves downloading, not bytes of the image. What switches the cache off goes (`--no-cache-dir`; a
    PIP_NO_CACHE_DIR of the image stays and is emptied for the command alone), and so does what would empty
    it: `rm -rf /var/lib/apt/lists/*` inside a mounted directory cleans the cache. For apt, the official
    images' docker-clean removes every downloaded package, so it has to go, and the steps of other stages that go on
    from there get mounts as well: they would keep each package in the image. Two builds must not write to the cache
    at once (`sharing=locked`); and only the lists are mounted of /var/lib/apt, since the rest says which packages
    were installed automatically. A mount belongs to root by default, and so do the folders on the way to it: other
    users get their id, and a folder outside of their home. Poetry keeps environments in its cache folder; only its
    downloads are mounted.

    Source: Dockerfile reference, `RUN --mount=type=cache`. hadolint's DL3042 (`--no-cache-dir`) and DL3009 (apt
    lists) ask for the opposite; where the repository lints with hadolint, they are ignored on the line. BuildKit's
    own checks have no such rule.
    """

    title = "Keep downloads in cache mounts"
    risk = Risk.CHECK
    order = 60

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        if reason := without_mounts(view):
            return self.declined(reason)
        # Those on top of what the target needs, too: what is done to apt is done to their steps.
        reached = dockerfile.built_on(dockerfile.needed_by(view.stage))
        apt = lists_are_fetched_where_used(view)
        plans = [
            plan
            for stage in reached
            for instruction in stage.instructions
            if instruction.keyword == "RUN"
            if (plan := mounting(view, instruction, apt))
        ]
        changing = [plan for plan in plans if plan.edits]
        if not changing:
            reasons = dict.fromkeys(reason for plan in plans for reason in plan.reasons)
            return self.declined("; ".join(reasons) or "nothing is downloaded without a cache mount")
        edits = [edit for plan in changing for edit in plan.edits]
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(changing),
            edits=(FileEdit(dockerfile.path, dockerfile.text, apply_edits(dockerfile.text, edits)),),
            evidence=tuple(view.evidence(dockerfile.path, plan.instruction.line) for plan in changing),
            risk=self.risk,
            predicted=Prediction(None, "a cache mount saves downloads, not bytes of the image"),
            costs=_costs(changing),
        )

    FIRES = (
        Example(
            title="pip",
            before="FROM python:3.12-slim\nCOPY requirements.txt .\n"
            "RUN pip install --no-cache-dir -r requirements.txt\n",
            after="FROM python:3.12-slim\nCOPY requirements.txt .\n"
            "RUN --mount=type=cache,target=/root/.cache/pip \\\n    pip install -r requirements.txt\n",
        ),
        Example(
            title="apt: docker-clean and the cleaning go",
            before="FROM python:3.12-slim\nRUN apt-get update \\\n    && apt-get install -y curl \\\n"
            "    && rm -rf /var/lib/apt/lists/*\n",
            after="FROM python:3.12-slim\nRUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \\\n"
            "    rm -f /etc/apt/apt.conf.d/docker-clean \\\n    && apt-get update \\\n"
            "    && apt-get install -y curl\n",
        ),
        Example(
            title="a cache that empties itself, in a heredoc",
            before="FROM python:3.12-slim\n"
            "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt,sharing=locked <<EOF\nset -e\napt-get update\n"
            "apt-get install -y git\nrm -rf /var/lib/apt/lists/*\nEOF\n",
            after="FROM python:3.12-slim\n"
            "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
            "    --mount=type=cache,target=/var/lib/apt,sharing=locked <<EOF\nset -e\n"
            "rm -f /etc/apt/apt.conf.d/docker-clean\napt-get update\napt-get install -y git\nEOF\n",
        ),
        Example(
            title="another user, whose id is known",
            before="FROM python:3.12-slim\nRUN useradd --uid 1001 --create-home app\nUSER app\n"
            "RUN pip install idna\n",
            after="FROM python:3.12-slim\nRUN useradd --uid 1001 --create-home app\nUSER app\n"
            "RUN --mount=type=cache,target=/var/cache/pip,uid=1001,gid=1001 \\\n"
            "    PIP_CACHE_DIR=/var/cache/pip pip install idna\n",
        ),
        Example(
            title="a variable of the image stays, and is empty for the command; hadolint is told",
            before="FROM python:3.12-slim\nENV PIP_NO_CACHE_DIR=1\n# hadolint ignore=DL3013\nRUN pip install idna\n",
            after="FROM python:3.12-slim\nENV PIP_NO_CACHE_DIR=1\n# hadolint ignore=DL3013,DL3042\n"
            "RUN --mount=type=cache,target=/root/.cache/pip \\\n    PIP_NO_CACHE_DIR= pip install idna\n",
            files={".hadolint.yaml": "failure-threshold: info\n"},
        ),
        Example(
            title="poetry's environments stay in the image; npm",
            before="FROM node:22-slim AS web\nRUN npm ci\nFROM python:3.12-slim\n"
            "COPY --from=web /dist /dist\nRUN poetry install --no-root --no-cache\n",
            after="FROM node:22-slim AS web\nRUN --mount=type=cache,target=/root/.npm \\\n    npm ci\n"
            "FROM python:3.12-slim\nCOPY --from=web /dist /dist\n"
            "RUN --mount=type=cache,target=/root/.cache/pypoetry/cache \\\n"
            "    --mount=type=cache,target=/root/.cache/pypoetry/artifacts \\\n"
            "    poetry install --no-root\n",
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache/pip pip install idna\n",
            title="mounted already",
        ),
        Example(
            "FROM python:3.12-slim\nRUN apt-get update\nRUN apt-get install -y git\n",
            title="lists of another RUN",
        ),
        Example(
            "FROM python:3.12-slim\nUSER app\nRUN pip install --no-cache-dir idna\n",
            title="a user whose id is not known",
        ),
        Example('FROM python:3.12-slim\nRUN ["pip", "install", "idna"]\n', title="exec form"),
        Example(
            "FROM python:3.12-slim\nRUN useradd -u 7 app\nUSER app\n"
            "RUN --mount=type=cache,target=/home/app/.cache/pip,uid=7,gid=7 pip install idna\n",
            title="a mount in the user's home that belongs to the user",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY wheels wheels\nRUN pip install --no-index --find-links=wheels idna\n"
            "RUN pip install --no-deps --no-build-isolation .\n",
            title="nothing is fetched",
        ),
        Example(
            "FROM python:3.12-slim\nRUN pip install idna\n",
            files={"Makefile": "image:\n\tDOCKER_BUILDKIT=0 docker build .\n"},
            title="built without BuildKit",
        ),
        Example("FROM alpine\nCOPY . .\n", title="nothing is downloaded"),
    )


def _why(plans: Sequence[Mounting]) -> str:
    tools = list(dict.fromkeys(tool for plan in plans for tool in plan.tools))
    verb = "downloads" if len(tools) == 1 else "download"
    parts = [
        f"What {listed(tools)} {verb} is thrown away after each build, and downloaded again whenever the step runs. "
        "In a cache mount it stays on the machine that builds, and out of the image.",
    ]
    if any(not plan.mounts for plan in plans):
        parts.append("A mount that is there already is emptied, or not used, by the very step that has it.")
    parts.append(
        "This speeds up machines that keep their caches: a runner that starts empty each time gains nothing, and loses "
        "nothing."
    )
    return "\n\n".join(parts)


def _costs(plans: Sequence[Mounting]) -> str:
    if any("apt" in plan.tools for plan in plans):
        return "apt-get in the stages it is used in keeps what it downloads, also when a later RUN has no cache mount."
    return ""
