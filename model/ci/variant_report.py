"""What the user reads of a CI variant: why, at what price, and the lines that it rests on."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from phasewise.model.ci.situation import Situation
from phasewise.model.ci.variant import CONSUMERS, Redirections
from phasewise.model.debian.apt import apt_commands
from phasewise.model.debian.needless_tools import Trimmed
from phasewise.model.phase import Evidence
from phasewise.model.repo import BuildReference, Purpose
from phasewise.model.shell import Script
from phasewise.model.units import size
from phasewise.model.wording import listed


class Made(Struct, frozen=True):
    """What a variant consists of."""

    variant: str
    lists: list[str]
    script: str
    dropped: tuple[str, ...]
    """Commands that the variant leaves out."""
    tools: Trimmed


def why(here: Situation, picked: frozenset[str], files: Made, builds: Redirections) -> str:
    """Paragraphs: who builds the whole image, what is left out, what keeps it so, what stays as it is."""
    dockerfile = here.view.target.dockerfile
    run = f"python3 {files.script} {' '.join(files.lists)}"
    paragraphs = [
        f"{_places(builds.done)} the image that is deployed, only to test or scan it. {_heavy(here, picked)}",
        f"{files.variant} is {dockerfile} with {' and '.join(files.lists)}, generated from production's list with"
        f" its pins. {files.script} generates it again (--write), and fails when it drifts from production, when"
        f" {dockerfile} changes and {files.variant} does not, or when the application comes to import what is left"
        " out.",
        f"The check runs before the build on line {builds.step.line} of {builds.step.path}."
        if builds.step
        else f"No workflow could take the check: run `{run}` before building.",
        *of_tools(files.variant, files.tools),
        *(f"Not run in {files.variant}, as it needs what is left out: {line}" for line in files.dropped),
        *(f"{each.path}:{each.line} is left as it is: {why}." for each, why in builds.refused),
    ]
    stay = [each for each in here.view.builds_of(dockerfile) if each.purpose not in CONSUMERS]
    if stay:
        where = ", ".join(f"{each.path}:{each.line}{_purpose(each)}" for each in stay)
        paragraphs.append(f"Still built from {dockerfile}: {where}.")
    return "\n\n".join(paragraphs)


def of_tools(variant: str, tools: Trimmed) -> Iterator[str]:
    """Which build tools the variant goes without, and which stay; nothing where there are none."""
    if tools.gone:
        yield (
            f"{variant} goes without {listed(tools.gone)}: no package of the light list is compiled, their wheels come"
            " built, as the baseline's image tells, and nothing else in that stage calls them. When one loses its"
            f" wheel, CI fails as it builds; install them in {variant} again then."
        )
    if tools.stay:
        yield f"{listed(tools.stay)}: still installed in {variant}, since {tools.reason}."


def _purpose(build: BuildReference) -> str:
    return "" if build.purpose is Purpose.UNKNOWN else f" ({build.purpose.value})"


def _places(builds: list[BuildReference]) -> str:
    where = ", ".join(f"{each.path}:{each.line}" for each in builds)
    return f"{where} {'builds' if len(builds) == 1 else 'build'}"


def _heavy(here: Situation, picked: frozenset[str]) -> str:
    heavy = [each.name for each in here.requirements.candidates(picked) if each.name in picked]
    names, alone = ", ".join(heavy), len(heavy) == 1
    saved = here.saved_bytes(picked)
    if saved is None:
        return f"The application starts without {names}, which {'is' if alone else 'are'} known to be heavy."
    total = here.requirements.packages.total_bytes
    need = "it needs" if alone else "they need"
    return f"Of {size(total)} of Python packages, {size(saved)} are {names} and what only {need}."


def because(here: Situation, picked: frozenset[str]) -> str:
    """Where the prediction comes from, and what is saved."""
    saved = here.saved_bytes(picked)
    smaller = f" The CI image is about {size(saved)} smaller, by the census." if saved is not None else ""
    return f"The image that is deployed does not change.{smaller}"


def costs(here: Situation, picked: frozenset[str], builds: Redirections) -> str:
    """What CI does not see any more."""
    scanned = any(each.purpose is Purpose.SCAN for each in builds.done)
    texts = ["What is left out is not tested in CI any more" + (", nor scanned there." if scanned else ".")]
    texts += [
        f"{each.always.path}:{each.always.line} imports {each.always.module}: it will not start."
        for each in here.requirements.candidates(picked)
        if each.name in picked and each.always
    ]
    if not here.requirements.is_measured:
        texts.append("Sizes, and what else needs these packages, are known once the baseline was built.")
    return " ".join(texts)


def evidence(
    here: Situation, dropped: tuple[str, ...], tools: Collection[str], builds: list[BuildReference]
) -> Iterator[Evidence]:
    """The builds that change, and where production asks for what is left out, Debian's `tools` too."""
    for build in builds:
        yield here.view.evidence(build.path, build.line)
    for each in here.production.requirements:
        if each.name in dropped:
            yield here.view.evidence(each.path, each.line)
    dockerfile = here.view.dockerfile
    for instruction in dockerfile.instructions if tools else ():
        script = Script.of(dockerfile, instruction)
        for apt in apt_commands(script, "install") if script else ():
            lines = (
                dockerfile.line_of(word.span.start)
                for word, name in zip(apt.packages, apt.names, strict=True)
                if name in tools
            )
            yield from (here.view.evidence(dockerfile.path, line) for line in dict.fromkeys(lines))
