"""Leaves recommendations out of apt's installs, and names those that are used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from phasewise.model.debian.apt import AptCommand, apt_commands, installed
from phasewise.model.debian.apt_merge import HARMLESS
from phasewise.model.debian.recommends import (
    CALLED,
    CAME_WITH_COMPILERS,
    CERTIFICATES,
    FONTS,
    SASL,
    SSH,
    brings_graphics,
    is_known,
    missed,
)
from phasewise.model.debian.tidying import Tidied, needed_scripts, without_recommended
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.runtime_use import runtime_uses
from phasewise.model.text import Edit, Span

_REQUIREMENTS = re.compile(r"requirements[^/]*\.(txt|in)$|(^|/)(pyproject\.toml|setup\.(cfg|py))$")
_SASL_USERS = re.compile(r"sasl|ldap|pyhive|impyla|pylibmc|kafka", re.I)
_FONT_USERS = re.compile(r"DejaVu|/usr/share/fonts")


def leave_out_recommended(view: RepoView, dockerfile: Dockerfile) -> Tidied:
    """`--no-install-recommends` for installs of packages that are known, and the names of what is used."""
    scripts = needed_scripts(view, dockerfile)
    edits: list[Edit] = []
    added: list[str] = []
    named_now: dict[Span, set[str]] = {}
    kept: list[str] = []
    for script in scripts:
        for apt in apt_commands(script, "install"):
            if not apt.packages or without_recommended(apt) or "Install-Recommends" in dockerfile.text:
                continue
            if unknown := [name for name in apt.names if not is_known(name) or "$" in name]:
                line = dockerfile.line_of(apt.command.span.start)
                kept.append(f"what {', '.join(unknown)} (line {line}) recommends is not known here")
                continue
            edits.append(_flag(apt))
            used = dict(_used(view, dockerfile, scripts, apt, named_now))
            named_now.setdefault(apt.instruction.span, set()).update(used)
            edits += [_behind(dockerfile.text, apt, package) for package in used]
            added += [f"{package} ({reason})" for package, reason in used.items()]
    told = "Packages come without what they only recommend."
    if added:
        told += f" Used and therefore named now: {'; '.join(dict.fromkeys(added))}."
    return Tidied(tuple(edits), told, tuple(kept))


def _used(
    view: RepoView,
    dockerfile: Dockerfile,
    scripts: Sequence[Script],
    apt: AptCommand,
    named_now: Mapping[Span, set[str]],
) -> Iterator[tuple[str, str]]:
    """The recommended packages that have to be named beside those of the install, with the reason.

    `named_now` has those that other RUNs are given already.
    """
    named = _named_below(dockerfile, apt, named_now)
    for package, by in missed(apt.names):
        if package not in named and (reason := _reason(view, dockerfile, scripts, apt, package, by)):
            yield package, reason
    stage = dockerfile.stages[apt.instruction.stage or 0]
    final = stage.index in {each.index for each in dockerfile.lineage(dockerfile.stage(view.target.stage))}
    if final and (by := brings_graphics(apt.names)):
        loaded = view.census.library_packages if view.census else {}
        for package in sorted(CAME_WITH_COMPILERS & loaded.keys() - named):
            yield package, f"came with {by}, and {', '.join(loaded[package][:3])} loads it"
        if FONTS not in named and any(
            path.endswith(".py") and _FONT_USERS.search(view.files[path])
            for path in view.paths & view.files.keys()
        ):
            yield FONTS, f"came with {by}, and the code names a font"


def _named_below(dockerfile: Dockerfile, apt: AptCommand, named_now: Mapping[Span, set[str]]) -> set[str]:
    """The packages that the install or one before it in its lineage asks for by name, or is made to."""
    stage = dockerfile.stages[apt.instruction.stage or 0]
    below = [each for each in dockerfile.making(stage) if each.span <= apt.instruction.span]
    scripts = (Script.of(dockerfile, instruction) for instruction in below)
    asked = (installed(script) for script in scripts if script)
    return set().union(*asked, *(named_now.get(instruction.span, ()) for instruction in below))


def _reason(
    view: RepoView,
    dockerfile: Dockerfile,
    scripts: Sequence[Script],
    apt: AptCommand,
    package: str,
    by: str,
) -> str:
    """Why a recommended package is used; empty when nothing here uses it."""
    if package == CERTIFICATES:
        return (
            "" if _image(dockerfile, apt) == "python" else f"came with {by}, and whoever uses https needs it"
        )
    if package == SASL:
        named = any(_SASL_USERS.search(line) for line in _requirements(view))
        return f"came with {by}, and a requirement may authenticate with it" if named else ""
    if package == SSH and _connects_with_ssh(view, scripts):
        return f"came with {by}, which connects with ssh"
    if package in CALLED:
        commands = CALLED[package]
        words = "|".join(map(re.escape, commands))
        called = re.compile(rf"(?<![\w./-])(?:/[\w/]+/)?({words})(?![\w-])")
        found = next((m[1] for script in scripts if (m := called.search(script.source.value))), "")
        found = found or next(iter(runtime_uses(view, commands)), "")
        return f"came with {by}, and {found} is called" if found else ""
    return f"came with {by}, which cannot {'run' if package == 'xauth' else 'build'} without"


def _connects_with_ssh(view: RepoView, scripts: Sequence[Script]) -> bool:
    """Whether git may use ssh: in a RUN, for a requirement, or at run time."""
    words = (word for script in scripts for command in script.commands for word in command.argv)
    mounts = (mount for script in scripts for mount in script.instruction.flags_named("mount"))
    return (
        any(re.search(r"\bgit@|\bssh://", word) for word in words)
        or any("type=ssh" in mount for mount in mounts)
        or any("git+ssh" in line or "git@" in line for line in _requirements(view))
        or any("git@" in text or "ssh://" in text for path, text in _files(view, r"(^|/)\.gitmodules$"))
        or bool(runtime_uses(view, {"git"}, [script.instruction for script in scripts]))
    )


def _requirements(view: RepoView) -> Iterator[str]:
    return (text for _, text in _files(view, _REQUIREMENTS.pattern))


def _files(view: RepoView, pattern: str) -> Iterator[tuple[str, str]]:
    return ((path, view.files[path]) for path in sorted(view.files) if re.search(pattern, path))


def _image(dockerfile: Dockerfile, apt: AptCommand) -> str:
    """The name of the image that the install's stage starts from, without registry and tag."""
    image = dockerfile.base_image(dockerfile.stages[apt.instruction.stage or 0])
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _flag(apt: AptCommand) -> Edit:
    """`--no-install-recommends` behind `install`, and behind the `-y` that follows it."""
    words = apt.command.words
    index = next(i for i, word in enumerate(words) if word.value == "install")
    while index + 1 < len(words) and words[index + 1].value in HARMLESS:
        index += 1
    end = words[index].span.end
    return Edit(Span(end, end), " --no-install-recommends")


def _behind(text: str, apt: AptCommand, package: str) -> Edit:
    """Another package behind the last one, on a line of its own where they stand so."""
    last = apt.packages[-1].span
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    newline = "\r\n" if "\r\n" in text else "\n"
    separator = f" \\{newline}{line}" if not line.strip() and line else " "
    return Edit(Span(last.end, last.end), f"{separator}{package}")
