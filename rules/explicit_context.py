"""Keeps out of the build context what the image does not need, and on request names what `COPY . .` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phasewise.model.builds.dockerignore import with_lines
from phasewise.model.builds.left_out import GROUPS
from phasewise.model.builds.named_copies import can_be_named, copies_named
from phasewise.model.builds.needless import Context, Line
from phasewise.model.builds.shared_context import NotKnown
from phasewise.model.phase import Choice, Declined, Evidence, FileEdit, Option, Phase, Prediction, Risk
from phasewise.model.repo import BuildReference, Purpose, RepoView
from phasewise.model.units import size
from phasewise.model.wording import listed
from phasewise.rules.base import Example, Picks, Rule

_IGNORE, _NAME = "ignore", "name"
_HEADER = "# Not needed in the image"
_ALL = frozenset({"*", "**", "/*", "/**", "**/*", "./*"})
_MOST_NAMED = 10


class ExplicitContext(Rule):
    """`COPY . .` takes everything that lies in the build context: git's data, caches, a virtual environment, a file
    with secrets, tests, documents. A change of a README then builds that layer and all behind it again, and the
    image of one machine differs from that of another.

    The ignore file gets what no application reads at run time, and only that: what a COPY, an ADD or a bind mount of
    any Dockerfile with the same ignore file names stays, and so does what code, settings, scripts or the build of the
    package (`readme = "README.md"`) name, what an existing `!` takes back, tests where they run in the image, and
    `.git` where a version is made from it. In a measured story an ignore file that was written by hand left out
    `alembic/`, which the Dockerfile copies: nothing built any more. What is looked for are names in the text; a path
    that code puts together from parts cannot be seen. So the groups can be unticked.

    `X.Dockerfile.dockerignore` replaces `.dockerignore`, so the one that counts is completed. One that leaves out
    everything and lets some in is explicit already. On request `COPY . .` becomes a COPY for each folder; what a
    build makes in the context before it (and git does not know) has to be added by hand then.

    BuildKit's check CopyIgnoredFile reports the opposite mistake, a COPY of something that is ignored. hadolint has
    no rule for it.
    """

    title = "Keep the needless out of the build context"
    risk = Risk.CHECK
    order = 50

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        context = Context(view)
        try:
            refusal = _refusal(context)
            if refusal:
                return self.declined(refusal)
            return self._phase(context, picks)
        except NotKnown as error:
            return self.declined(str(error))

    def _phase(self, context: Context, picks: Picks) -> Phase | Declined:
        view = context.view
        choices = tuple(_choices(context, picks))
        groups = choices[0].picked if choices else frozenset()
        lines = [line for line in context.lines if line.pattern.group in groups]
        named = any(choice.id == "copies" and _NAME in choice.picked for choice in choices)
        if not named and not _is_worth_it(lines):
            return Declined(self.id, _nothing(context), tuple(kept.evidence for kept in context.kept))
        ignored = context.ignored
        after = with_lines(ignored, (_HEADER, *_texts(lines))) if lines else ignored
        edits = [FileEdit(context.ignore_file, ignored if context.ignore_file in view.files else None, after)]
        if named:
            edits.append(copies_named(context, after))
        removed = context.bytes_of(lines)
        return Phase(
            id=self.id,
            title=self.title,
            why=_why(context, after),
            edits=tuple(edit for edit in edits if edit.changes),
            evidence=tuple(_evidence(context)),
            risk=self.risk,
            predicted=Prediction(
                -removed if removed and _ends_in_image(context) else None,
                "the tracked files that are left out; what is not tracked differs from machine to machine",
            ),
            choices=choices,
            costs=_costs(lines, named),
        )

    FIRES = (
        Example(
            title="no ignore file yet",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nCMD python -m app\n",
            files={
                "app/__main__.py": "print(open('app/words.txt').read())\n",
                "app/words.txt": "x",
                "tests/test_app.py": "import app\n",
                "README.md": "# App\n",
                "docs/index.md": "# App\n",
                ".github/workflows/ci.yml": "on: push\n",
            },
            files_after={
                ".dockerignore": f"{_HEADER}\n.git\n**/__pycache__\n.pytest_cache\n.mypy_cache\n.ruff_cache\n"
                ".venv\n.env\ndocs\n*.md\ntests\n.github\nDockerfile*\n"
            },
        ),
        Example(
            title="what the package, the code and another Dockerfile want stays",
            before="FROM python:3.12-slim\nCOPY . /app\nRUN pip install /app\n",
            files={
                ".dockerignore": ".git\n.venv\n.env\n**/__pycache__\n.*_cache\nDockerfile*",
                "pyproject.toml": '[project]\nname = "app"\nreadme = "README.md"\n[tool.ruff]\nexclude = ["tests"]\n',
                "app.py": "HELP = open('docs/help.txt').read()\n",
                "README.md": "",
                "NOTES.md": "",
                "docs/help.txt": "",
                "tests/test_app.py": "",
                "docker-compose.yml": "",
                "docker/Dockerfile.test": "FROM python:3.12-slim\nCOPY tests /tests\n",
                "compose.yml": "services: {t: {build: {context: ., dockerfile: docker/Dockerfile.test}}}\n",
            },
            builds=(
                BuildReference(
                    "compose.yml", 1, "", "docker/Dockerfile.test", ".", None, Purpose.UNKNOWN, "services.t"
                ),
            ),
            files_after={
                ".dockerignore": ".git\n.venv\n.env\n**/__pycache__\n.*_cache\nDockerfile*\n\n"
                f"{_HEADER}\n*.md\n!README.md\ndocker-compose*.y*ml\ncompose*.y*ml\n"
            },
        ),
        Example(
            title="named folders, on request",
            before="FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=1000:1000 . .\nCMD python main.py\n",
            after="FROM python:3.12-slim\nWORKDIR /app\nCOPY --chown=1000:1000 main.py ./\n"
            "COPY --chown=1000:1000 app ./app\nCMD python main.py\n",
            files={
                "main.py": "import app\n",
                "app/__init__.py": "",
                "tests/test_app.py": "",
                ".gitignore": "models/\n",
            },
            files_after={
                ".dockerignore": f"{_HEADER}\n.git\n**/__pycache__\n.pytest_cache\n.mypy_cache\n.ruff_cache\n"
                ".venv\n.env\nmodels\ntests\nDockerfile*\n"
            },
            picks={"copies": frozenset({_NAME})},
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim\nCOPY app ./app\n",
            files={"app/a.py": "", "tests/test_a.py": ""},
            title="nothing copies all of it",
        ),
        Example(
            "FROM python:3.12-slim\nCOPY . .\n",
            files={".dockerignore": "# only this\n*\n!app\n", "app/a.py": "", "docs/a.md": ""},
            title="an ignore file that says what may come in",
        ),
        Example(
            "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN git describe > version && pytest tests\n",
            files={
                ".dockerignore": ".venv\n.env\n__pycache__\nDockerfile*\n",
                "tests/test_a.py": "open('README.md')\n",
                "README.md": "",
            },
            title="the image itself needs them",
        ),
        Example(
            "FROM python:3.12-slim\nARG PART\nCOPY . .\nCOPY ${PART} /part\n",
            files={"app/a.py": "", "docs/a.md": ""},
            title="a COPY of something unknown",
        ),
    )


def _refusal(context: Context) -> str:
    if not context.whole:
        return "every COPY names what it takes, and BuildKit sends nothing else"
    if context.ignore_file not in context.view.files and context.ignore_file in context.view.sizes:
        return f"{context.ignore_file} is no text file"
    if any(line.strip() in _ALL for line in context.ignored.splitlines()):
        return (
            f"{context.ignore_file} leaves out everything and says what may come in: it is explicit already"
        )
    return ""


def _is_worth_it(lines: Sequence[Line]) -> bool:
    """Whether anything but caches is left out: those alone are worth no commit."""
    return any(line.pattern.group != "caches" for line in lines)


def _texts(lines: Sequence[Line]) -> tuple[str, ...]:
    return tuple(text for line in lines for text in line.texts)


def _choices(context: Context, picks: Picks) -> Iterator[Choice]:
    groups = dict.fromkeys(line.pattern.group for line in context.lines)
    if groups:
        picked = picks.get("leave_out", frozenset(groups)) & groups.keys()
        yield Choice(
            "leave_out",
            "What is left out",
            tuple(
                Option(group, GROUPS[group], _tracked_bytes(context, group) if context.view.sizes else None)
                for group in groups
            ),
            frozenset(picked),
            multiple=True,
        )
    if can_be_named(context):
        picked = picks.get("copies", frozenset({_IGNORE}))
        yield Choice(
            "copies",
            "What becomes of COPY . .",
            (
                Option(_IGNORE, "It stays, and takes less"),
                Option(_NAME, "A COPY for each file and folder that git knows and the ignore file lets in"),
            ),
            picked,
        )


def _tracked_bytes(context: Context, group: str) -> int | None:
    return context.bytes_of(line for line in context.lines if line.pattern.group == group) or None


def _ends_in_image(context: Context) -> bool:
    """Whether the final stage, or one that it is built on, holds the whole context."""
    dockerfile = context.view.dockerfile
    lineage = {stage.index for stage in dockerfile.lineage(context.view.stage)}
    return any(
        each.instruction.keyword != "RUN" and each.instruction.stage in lineage for each in context.whole
    )


def _nothing(context: Context) -> str:
    stays = _staying(context)
    known = f"what is known to be needless is kept out by {context.ignore_file} already"
    return f"{known}, or was not picked" + (f"; {stays}" if stays else "")


def _staying(context: Context) -> str:
    places = [f"{kept.name} ({kept.evidence.path}:{kept.evidence.line})" for kept in context.kept]
    return f"left in, for the line that wants it: {', '.join(places[:_MOST_NAMED])}" if places else ""


def _why(context: Context, after: str) -> str:
    before_count, before_bytes = context.size_bytes(context.ignored)
    after_count, after_bytes = context.size_bytes(after)
    line = context.whole[0].instruction.line
    parts = [
        f"Line {line} takes the whole build context. A change of any file in it, a README's too, makes this step and "
        "all behind it run again, and what lies about on the machine that builds ends up in the image.",
        f"Of the tracked files, {before_count} come in ({size(before_bytes)}); {after_count} will "
        f"({size(after_bytes)}). Beside them a machine sends what git does not know: its own data, a virtual "
        "environment, caches; usually that is the larger part.",
    ]
    if context.secrets:
        parts.append(
            f"Still in the context, and copied with the rest: {listed(context.secrets)}. It is tracked, so the "
            "application may read it. If it holds secrets, take it out of git and give it to the container instead."
        )
    stays = _staying(context)
    if stays:
        parts.append(f"{stays[0].upper()}{stays[1:]}.")
    return "\n\n".join(parts)


def _costs(lines: Sequence[Line], named: bool) -> str:
    costs = []
    if any(line.pattern.group == "secrets" for line in lines):
        costs.append(
            "A .env of the machine that builds is no longer in the image: give it to the container instead."
        )
    if named:
        costs.append("A new file or folder at the top has to be added to the COPYs.")
    return " ".join(costs)


def _evidence(context: Context) -> Iterator[Evidence]:
    path = context.view.dockerfile.path
    for line in dict.fromkeys(each.instruction.line for each in context.whole):
        yield context.view.evidence(path, line)
    yield from (kept.evidence for kept in context.kept[:_MOST_NAMED])
