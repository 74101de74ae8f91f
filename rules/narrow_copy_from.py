"""Copies from another stage what was put there, not the whole of /usr/local or a home directory."""

from __future__ import annotations

from collections.abc import Sequence

from phasewise.model.census import Census
from phasewise.model.dockerfile import Instruction
from phasewise.model.edits import drop_instruction
from phasewise.model.layers import layer_bytes, written_layers
from phasewise.model.paths import within
from phasewise.model.phase import Declined, FileEdit, Phase, Prediction, Risk, part
from phasewise.model.python.environments import SYSTEM
from phasewise.model.repo import RepoView
from phasewise.model.stages.copies import StageCopy, rewritten
from phasewise.model.stages.narrowing import Lost, Narrowed, lost_by_copies, narrowed_copies
from phasewise.model.text import Edit, apply_edits
from phasewise.rules.base import Example, Picks, Rule

_BIN = f"{SYSTEM}/bin"
_WHOLE = "; bin comes whole, with every command that a package brings."


class NarrowCopyFrom(Rule):
    """`COPY --from=builder /usr/local /usr/local` writes the interpreter a second time: the runtime's own base image
    has it already, and an image keeps both. A home directory comes with the caches of pip, npm and cargo;
    `/root/.local` often holds nothing but the uv that installed the packages (44 of 6,530 MB in one
    measured image, where `/usr/local` was 5,920 MB).

    What is copied instead is what the builder's own steps wrote there: site-packages with all of `bin`, and the
    data that packages have beside them, as their records list it; environments; copied files. `bin` comes as a
    whole, because a list of commands is out of date with the next dependency: one project copied only `python*`
    and `pip*` and lost `alembic` and `uvicorn`, which its compose file runs. Where such a list leaves a command
    behind that something calls, the whole of `bin` is brought in.

    A directory is left as it is when any step may have written something else there (`make install`, npm, a script),
    when the stages have different Pythons, or when uv may have put an interpreter there that an environment
    points to.

    hadolint and BuildKit's checks have no such rule.
    """

    title = "Copy what was installed, not all around it"
    risk = Risk.CHECK
    order = 24

    def propose(self, view: RepoView, picks: Picks) -> Phase | Declined:
        """See Rule.propose."""
        dockerfile = view.dockerfile
        narrowed, reasons = narrowed_copies(view)
        lost = lost_by_copies(view)
        if not narrowed and not lost:
            return self.declined(
                "; ".join(reasons) or "no COPY --from takes all of /usr/local or of a home directory"
            )
        after = apply_edits(dockerfile.text, _edits(view, narrowed, lost))
        lines = [found.copy.instruction.line for found in narrowed]
        lines += [copy.line for each in lost for copy in each.copies]
        return Phase(
            id=self.id,
            title=self.title if narrowed else "Copy the commands along with their packages",
            why=_why(narrowed, lost, reasons),
            edits=(FileEdit(dockerfile.path, dockerfile.text, after),),
            evidence=(
                *(view.evidence(dockerfile.path, line) for line in dict.fromkeys(lines)),
                *(view.evidence(use.path, use.line) for each in lost for use in each.uses),
            ),
            risk=self.risk,
            predicted=_predicted(view, narrowed),
            costs=(cost := _costs(view, narrowed)),
            costs_start_up=bool(cost),
        )

    FIRES = (
        Example(
            title="all of /usr/local: the interpreter is in the base image",
            before="FROM python:3.12 AS builder\nRUN pip install fastapi uvicorn\nFROM python:3.12-slim\n"
            '# packages\nCOPY --from=builder /usr/local /usr/local\nCMD ["uvicorn", "app:app"]\n',
            after="FROM python:3.12 AS builder\nRUN pip install fastapi uvicorn\nFROM python:3.12-slim\n"
            "# packages\nCOPY --from=builder /usr/local/bin /usr/local/bin\n"
            "COPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages\n"
            'CMD ["uvicorn", "app:app"]\n',
        ),
        Example(
            title="a tool that only the build calls, in a home directory",
            before="FROM python:3.12-slim AS deps\nRUN pip install --user uv==0.9.9\nCOPY pyproject.toml .\n"
            "RUN /root/.local/bin/uv pip install --system -r pyproject.toml\nFROM python:3.12-slim\n"
            "COPY --from=deps /usr/local/lib /usr/local/lib\nCOPY --from=deps /usr/local/bin /usr/local/bin\n"
            'COPY --from=deps /root/.local /root/.local\nCMD ["python", "-m", "app"]\n',
            after="FROM python:3.12-slim AS deps\nRUN pip install --user uv==0.9.9\nCOPY pyproject.toml .\n"
            "RUN /root/.local/bin/uv pip install --system -r pyproject.toml\nFROM python:3.12-slim\n"
            "COPY --from=deps /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages\n"
            "COPY --from=deps /usr/local/bin /usr/local/bin\n"
            'CMD ["python", "-m", "app"]\n',
            files={"pyproject.toml": '[project]\nname = "x"\ndependencies = ["idna"]\n'},
        ),
        Example(
            title="a home directory with caches in it",
            before="FROM python:3.12-slim AS builder\nRUN useradd -m app\nUSER app\nWORKDIR /home/app/src\n"
            "COPY requirements.txt .\nRUN pip install --user -r requirements.txt\n"
            "FROM python:3.12-slim\nRUN useradd -m app\n"
            "COPY --from=builder --chown=app:app \\\n    /home/app /home/app\nUSER app\n",
            after="FROM python:3.12-slim AS builder\nRUN useradd -m app\nUSER app\nWORKDIR /home/app/src\n"
            "COPY requirements.txt .\nRUN pip install --user -r requirements.txt\n"
            "FROM python:3.12-slim\nRUN useradd -m app\n"
            "COPY --from=builder --chown=app:app /home/app/.local /home/app/.local\n"
            "COPY --from=builder --chown=app:app /home/app/src /home/app/src\nUSER app\n",
        ),
        Example(
            title="a hand-picked list that leaves behind what compose calls",
            before="FROM python:3.12-slim AS deps\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
            "FROM python:3.12-slim\n"
            "COPY --from=deps /usr/local/lib/python3.12/site-packages \\\n"
            "    /usr/local/lib/python3.12/site-packages\n"
            "COPY --from=deps /usr/local/bin/python* /usr/local/bin/\n"
            "COPY --from=deps /usr/local/bin/pip* /usr/local/bin/\n"
            'CMD ["python", "-m", "uvicorn", "app:app"]\n',
            after="FROM python:3.12-slim AS deps\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
            "FROM python:3.12-slim\n"
            "COPY --from=deps /usr/local/lib/python3.12/site-packages \\\n"
            "    /usr/local/lib/python3.12/site-packages\n"
            "COPY --from=deps /usr/local/bin /usr/local/bin\n"
            'CMD ["python", "-m", "uvicorn", "app:app"]\n',
            files={
                "requirements.txt": "uvicorn\nalembic==1.17\n",
                "compose.yaml": "services:\n  api:\n    build: .\n"
                "    command: sh -c 'alembic upgrade head && python -m uvicorn app:app'\n",
            },
        ),
    )
    SILENT = (
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages\n"
            "COPY --from=builder /usr/local/bin /usr/local/bin\n",
            title="narrow already",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install idna\n"
            "RUN ./configure && make && make install\nFROM python:3.12-slim\n"
            "COPY --from=builder /usr/local /usr/local\n",
            title="something else is installed there",
        ),
        Example(
            "FROM python:3.13-slim AS builder\nRUN pip install idna\nFROM debian:bookworm-slim\n"
            "COPY --from=builder /usr/local /usr/local\n",
            title="the interpreter comes with it",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install uv && uv python install 3.13\n"
            "RUN uv venv --python 3.13 /app/.venv\nFROM python:3.12-slim\n"
            "COPY --from=builder /root/.local /root/.local\nCOPY --from=builder /app/.venv /app/.venv\n",
            title="an interpreter of uv's, which the environment points to",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install --user idna\nFROM python:3.12-slim\n"
            "COPY --from=builder /root/.local /root/.local\n",
            title="all of it is needed",
        ),
        Example(
            "FROM python:3.12-slim AS deps\nRUN pip install --user uv\nFROM python:3.12-slim\n"
            'COPY --from=deps /root/.local /root/.local\nCMD ["/root/.local/bin/uv", "run", "app.py"]\n',
            title="the service is started with the tool",
        ),
        Example(
            "FROM python:3.12-slim AS builder\nRUN pip install nltk\nRUN python -m nltk.downloader punkt\n"
            "FROM python:3.12-slim\nCOPY --from=builder /root /root\n",
            title="a download whose place is not known",
        ),
    )


def _edits(view: RepoView, narrowed: Sequence[Narrowed], lost: Sequence[Lost]) -> list[Edit]:
    dockerfile = view.dockerfile
    paths: dict[Instruction, tuple[str, ...]] = {each.copy.instruction: each.needed for each in narrowed}
    for each in lost:
        first, *others = each.copies
        own = () if each.hand_picked else paths.get(first, (each.packages,))
        paths |= {first: (*own, _BIN), **dict.fromkeys(others, ())}
    text = dockerfile.text
    edits = []
    for instruction, wanted in paths.items():
        if not wanted:
            edits.append(drop_instruction(dockerfile, instruction))
        elif instruction not in {each.copy.instruction for each in narrowed} and wanted[:-1]:
            kept = instruction.span.of(text)
            added = rewritten(dockerfile, instruction, wanted[-1:])
            edits.append(Edit(instruction.span, kept + ("\r\n" if "\r\n" in text else "\n") + added))
        else:
            edits.append(Edit(instruction.span, rewritten(dockerfile, instruction, wanted)))
    return edits


def _why(narrowed: Sequence[Narrowed], lost: Sequence[Lost], reasons: Sequence[str]) -> str:
    parts = []
    for each in narrowed:
        copy = each.copy
        source = f"stage {copy.source.label}"
        if each.is_system:
            parts.append(
                f"{copy.path} of {source} is copied over the one that the image has. Both start from the same Python: "
                "interpreter and standard library are written a second time. What the stage installed is in "
                f"{' and '.join(each.needed)}{_WHOLE if _BIN in each.needed else '.'}"
            )
        elif each.needed:
            parts.append(
                f"All of {copy.path} comes from {source}, with what the installers left there, caches above all. "
                f"The stage's steps put {' and '.join(each.needed)} there."
            )
        elif each.tools:
            parts.append(
                f"{copy.path} of {source} holds the tool that installed the packages, and nothing that runs calls it."
            )
        else:
            parts.append(
                f"{copy.path} of {source} is what the image has there already: no step of the stage writes into it, "
                "and the copy writes every file a second time."
            )
    for missing in lost:
        calls = [f"{use.place} calls {use.command}" for use in missing.uses]
        parts.append(
            f"The packages are copied, and of their commands only some: {'; '.join(calls)}, which is not in the image. "
            f"All of {_BIN} is copied instead, so that none is forgotten with the next dependency."
        )
    return "\n\n".join([*parts, *(f"Left alone: {reason}." for reason in reasons)])


def _predicted(view: RepoView, narrowed: Sequence[Narrowed]) -> Prediction:
    census = view.census
    if census is None:
        return Prediction(None, "known once the baseline is built")
    if not narrowed:
        return Prediction(None, "the commands are small")
    total, unknown = 0, ""
    parts: dict[str, int] = {}
    for each in narrowed:
        layer = layer_bytes(census, each.copy.instruction)
        if layer is None or (each.needed and not each.is_system):
            unknown = "what the copy writes and nothing reads is known once it is built"
        elif each.needed and _changed_later(census, each.copy):
            unknown = "a later layer changes the copied packages, so that their share is not known"
        else:
            copied = [found for found in census.distributions if within(found.location, each.copy.path)]
            kept = [found for found in copied if any(within(found.location, place) for place in each.needed)]
            total -= max(0, layer - sum(found.size_bytes for found in kept))
            parts |= {part("python", found.name): found.size_bytes for found in copied if found not in kept}
    because = "the layers of these copies, less the packages in them"
    if unknown:
        because = f"the layer of a copy; of another, {unknown}" if total else unknown
    return Prediction(total if total or not unknown else None, because, parts)


def _changed_later(census: Census, copy: StageCopy) -> bool:
    """Whether a layer of the baseline's image on top of the copy's names the directory, to strip what is in it."""
    written = written_layers(census, [copy.instruction.value])[-1]
    later = census.layers[census.layers.index(written) + 1 :]
    return any("RUN" in layer.created_by and copy.path in layer.created_by for layer in later)


def _costs(view: RepoView, narrowed: Sequence[Narrowed]) -> str:
    """What bytecode the runtime loses that the builder's installers made of the standard library; empty: none."""
    for each in narrowed:
        last = each.copy.source.instructions[-1]
        if each.is_system and not view.dockerfile.variables(last).get("PYTHONDONTWRITEBYTECODE"):
            return (
                "Bytecode of the standard library, which the builder's installers happened to leave, is not "
                "copied any more: Python compiles these modules when it starts, as in every slim image."
            )
    return ""
