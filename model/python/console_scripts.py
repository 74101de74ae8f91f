"""Commands that Python packages bring, and those of them that a copy of the packages leaves behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from phasewise.model.debian.apt import apt_commands
from phasewise.model.dockerfile import Instruction, Stage
from phasewise.model.python import environments
from phasewise.model.python.installs import installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.roles import only_tools
from phasewise.model.stages.runtime_use import Use, runtime_uses

COMMANDS = {
    "aerich": "aerich",
    "airflow": "apache-airflow",
    "alembic": "alembic",
    "celery": "celery",
    "chainlit": "chainlit",
    "daphne": "daphne",
    "dbt": "dbt-core",
    "django-admin": "django",
    "dramatiq": "dramatiq",
    "fastapi": "fastapi",
    "flask": "flask",
    "granian": "granian",
    "gunicorn": "gunicorn",
    "hypercorn": "hypercorn",
    "huey_consumer": "huey",
    "mlflow": "mlflow",
    "prefect": "prefect",
    "rq": "rq",
    "scrapy": "scrapy",
    "streamlit": "streamlit",
    "taskiq": "taskiq",
    "uvicorn": "uvicorn",
    "waitress-serve": "waitress",
}
"""Distribution by the command that services are started or migrated with."""


def lost_commands(
    view: RepoView, stage: Stage, source: Stage, copied: Sequence[str], before: Instruction
) -> dict[str, Use]:
    """Commands of what `source` installs that a container calls and that `stage` does not have, with the place.

    `copied` are the sources of the COPYs from there, patterns too; what runs up to the instruction `before`
    cannot need them. Only commands of COMMANDS whose distribution the install names: others cannot be known.
    """
    names = {command for command in COMMANDS if not any(_covers(path, command) for path in copied)}
    named = {name for name in names if names_distribution(view, source, COMMANDS[name].replace("-", "[-_.]"))}
    earlier = [i for i in view.dockerfile.making(view.stage) if i.keyword == "RUN" and i.span < before.span]
    uses = runtime_uses(view, named, earlier) if named else {}
    return {
        name: use
        for name, use in uses.items()
        if _calls(view.line(use.path, use.line), name) and not _comes_otherwise(view, stage, name)
    }


def _covers(path: str, command: str) -> bool:
    folder, _, pattern = path.rpartition("/")
    return path.endswith("/bin") or (folder.endswith("/bin") and fnmatchcase(command, pattern))


def _calls(text: str, name: str) -> bool:
    """Whether a line calls the command itself, not `python -m NAME`."""
    without = re.sub(rf"-m[\"',\s]+{re.escape(name)}\b", "", text)
    return re.search(rf"(?<![\w./:-]){re.escape(name)}(?![\w.:/-])", without) is not None


def names_distribution(view: RepoView, source: Stage, pattern: str) -> bool:
    """Whether an install of the stage names a distribution like `pattern`, in the command or in a file it reads."""
    lineage = {ancestor.index for ancestor in view.dockerfile.lineage(source)}
    named = re.compile(rf"(?im)(^|[\s\"'\[])({pattern})(?=[\s\"'=<>!~;\[,\]]|$)")
    for install in installs(view):
        if install.instruction.stage in lineage:
            texts = [view.files.get(found.path, "") for found in install.sources]
            texts += [word.value for word in install.named]
            if any(named.search(re.sub(r"(?m)(^|\s)#.*$", "", text)) for text in texts):
                return True
    return False


def _comes_otherwise(view: RepoView, stage: Stage, name: str) -> bool:
    """Whether the stage gets the command in another way: an install of its own, Debian's package, a COPY."""
    dockerfile = view.dockerfile
    if any(not only_tools(found.command) for found in environments.installs(dockerfile, stage)):
        return True
    for instruction in dockerfile.making(stage):
        script = Script.of(dockerfile, instruction)
        if script and any(name in apt.names for apt in apt_commands(script, "install")):
            return True
        if instruction.keyword in ("COPY", "ADD", "RUN") and re.search(
            rf"/{re.escape(name)}(?![\w.-])", instruction.value
        ):
            return True
    return False
