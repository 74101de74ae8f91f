"""What apt needs for a cache mount: no docker-clean, and lists that are fetched where they are used."""

from __future__ import annotations

from collections.abc import Iterator

from phasewise.model.dockerfile import Instruction
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.text import Edit, Span

_DOCKER_CLEAN = "/etc/apt/apt.conf.d/docker-clean"
APT_CACHES = ("/var/cache/apt", "/var/lib/apt/lists")


def fetches_and_installs(script: Script) -> bool:
    """Whether apt-get fetches the lists and installs in this RUN; `apt` is left alone, it deletes what it fetched."""
    verbs = [set(command.argv) for command in script.commands if command.name == "apt-get"]
    return any("update" in words for words in verbs) and any("install" in words for words in verbs)


def lists_are_fetched_where_used(view: RepoView) -> bool:
    """Whether each RUN that installs packages fetches the lists itself: a mount hides those of other RUNs."""
    for instruction in view.dockerfile.instructions:
        script = Script.of(view.dockerfile, instruction) if instruction.keyword == "RUN" else None
        apt = [c for c in (script.commands if script else ()) if c.name in ("apt-get", "apt", "aptitude")]
        words = {word for command in apt for word in command.argv}
        if words & {"install", "build-dep", "upgrade", "dist-upgrade"} and "update" not in words:
            return False
    return True


def without_docker_clean(view: RepoView, instruction: Instruction, script: Script) -> Iterator[Edit]:
    """Removes docker-clean in front of the first apt-get, or of the script where not every build gets there.

    Nothing where that is done.
    """
    stage = view.dockerfile.stages[instruction.stage or 0]
    for each in view.dockerfile.making(stage):
        if each.keyword != "RUN" or each.span > instruction.span:
            continue
        earlier = Script.of(view.dockerfile, each) if each.span < instruction.span else None
        if "docker-clean" in view.dockerfile.executed(each) or (earlier and fetches_and_installs(earlier)):
            return
    text = view.dockerfile.text
    first = next(command for command in script.commands if command.name == "apt-get")
    start = first.span.start
    if script.tree and not script.certain(first):
        start = script.source.place(script.tree.items[0].start)
    newline = "\r\n" if "\r\n" in text else "\n"
    in_heredoc = any(heredoc.body.start <= start < heredoc.body.end for heredoc in instruction.heredocs)
    line_start = text.rfind("\n", 0, start) + 1
    if in_heredoc and not text[line_start:start].strip():
        between = f"{newline}{text[line_start:start]}"
    else:
        between = " && " if in_heredoc else f" {view.dockerfile.escape}{newline}    && "
    yield Edit(Span(start, start), f"rm -f {_DOCKER_CLEAN}{between}")
