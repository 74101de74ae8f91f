"""What a split says of itself: the reason, the price, the lines it rests on, and the bytes it should save."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from phasewise.model.debian.apt import installed
from phasewise.model.debian.build_tools import Sorting
from phasewise.model.debian.leaving import leaving
from phasewise.model.debian.packages import is_downloader, is_headers
from phasewise.model.dockerfile import Dockerfile, Stage
from phasewise.model.layers import flat, written_layers
from phasewise.model.paths import within
from phasewise.model.phase import FileEdit, Prediction, part
from phasewise.model.python.environments import SYSTEM, environment_copies, installs
from phasewise.model.repo import RepoView
from phasewise.model.shell import Script
from phasewise.model.stages.clean_base import installer_runs, relocatable_runs
from phasewise.model.stages.context_copies import brings_code
from phasewise.model.stages.measured_packages import base_pip
from phasewise.model.stages.ownership import Handover, hand_over
from phasewise.model.stages.written_again import no_longer_written_again
from phasewise.model.wording import listed


class Split(Struct, frozen=True):
    """The new text, and what it rests on."""

    text: str
    sorting: Sorting
    handover: Handover | None


def why(view: RepoView, split: Split) -> str:
    """What is wrong now, what the phase does, and what it keeps."""
    sorting, parts = split.sorting, []
    if sorting.worthwhile:
        downloads = any(is_downloader(name) for name in sorting.moved)
        parts.append(
            f"The image ships {listed(sorting.moved)}, which "
            f"{'it does without once it is built' if downloads else 'only its build needs'}. "
            + (
                "They move to a builder; the image starts from a base without them and copies what was built."
                if _receiving(view, split)[1]
                else "They are left out of it: what it runs is built in stages that have what they need already."
            )
        )
        replaced = {name: libraries for name, libraries in sorting.libraries.items() if libraries}
        kept = [f"{name} becomes {listed(replaced[name])}" for name in replaced if is_headers(name)]
        kept += [
            f"{listed(replaced[name])}, which came with {name}" for name in replaced if not is_headers(name)
        ]
        kept += [f"{name} stays: {use.place} calls it" for name, use in sorting.used.items()]
        kept += [f"{name} stays: its library is not known" for name in sorting.unsure]
        if kept:
            parts.append("What runs keeps what it needs: " + "; ".join(kept) + ".")
    if split.handover:
        parts.append(
            "A recursive chown or chmod in a layer of its own writes every file again. COPY sets the owner "
            "instead; of directories that must stay writable, only the directory itself changes its owner."
        )
    return "\n\n".join(parts)


def costs(view: RepoView, split: Split) -> str:
    """What somebody who works in a running container would miss, and what other stages install again and again."""
    gone = [package for package in split.sorting.moved if is_downloader(package)]
    missed = [f"{listed(gone)}: no longer at hand in a running container"] if gone else []
    again = [
        f"{name} installs its build tools again after every change of code" for name in _late(view, split)
    ]
    return "; ".join((*missed, *again))


def _late(view: RepoView, split: Split) -> tuple[str, ...]:
    """The stages that install the tools themselves now, on top of code that they inherit."""
    after, receiving = _receiving(view, split)
    dockerfile = after.dockerfile
    return tuple(
        stage.name
        for stage in receiving
        if stage.name
        and stage.base_stage is not None
        and any(brings_code(after, i) for i in dockerfile.making(dockerfile.stages[stage.base_stage]))
    )


def _receiving(view: RepoView, split: Split) -> tuple[RepoView, tuple[Stage, ...]]:
    """The view after the split, and its stages that install the tools themselves and did not before."""
    path, moved = view.dockerfile.path, split.sorting.moved
    after = view.with_edits([FileEdit(path, view.dockerfile.text, split.text)])
    had_them = {stage.label for stage in _installing(view.dockerfile, moved)}
    return after, tuple(s for s in _installing(after.dockerfile, moved) if s.label not in had_them)


def _installing(dockerfile: Dockerfile, packages: Collection[str]) -> tuple[Stage, ...]:
    """The stages that install any of `packages` themselves."""
    return tuple(
        stage
        for stage in dockerfile.stages
        if any(
            installed(script) & set(packages)
            for instruction in stage.instructions
            if (script := Script.of(dockerfile, instruction))
        )
    )


def evidence_lines(view: RepoView, split: Split) -> list[int]:
    """The lines that bring the tools in, then those that write files again."""
    dockerfile = view.dockerfile
    moved = set(split.sorting.moved) if split.sorting.worthwhile else set()
    lines = [
        dockerfile.line_of(word.span.start)
        for apt in split.sorting.commands
        for word, name in zip(apt.packages, apt.names, strict=True)
        if name in moved
    ]
    handover = hand_over(dockerfile, view.stage)
    for change in handover.replaced if handover else ():
        lines.append(dockerfile.line_of(change.command.span.start))
    return list(dict.fromkeys(lines))


def predicted(view: RepoView, split: Split) -> Prediction:
    """The packages that leave and the layers that are not written again, as the baseline's census has them."""
    if view.census is None:
        return Prediction(because="the image was not measured yet")
    present = view.census.apt_packages
    sorting = split.sorting
    gone = leaving(view.census, sorting.moved, sorting.stays) if sorting.worthwhile else ()
    packages = {part("debian", package): present[package] for package in gone}
    layers = [layer.size_bytes for layer in written_layers(view.census, _runs_that_leave(view, split))]
    said = [f"{len(gone)} Debian package{'s' * (len(gone) > 1)}"] * bool(gone)
    said += [f"{len(layers)} layer{'s' * (len(layers) > 1)} no longer written"] * bool(layers)
    written = sum(layers)
    if written and split.handover:
        written -= no_longer_written_again(view, split.handover.replaced)
    pip = base_pip(view.census) if _makes_environment(view, split) else None
    said += ["less the new environment's own pip"] * bool(pip)
    return Prediction(
        (pip.size_bytes if pip else 0) - sum(packages.values()) - written,
        f"{' and '.join(said)}, in the baseline's image" if said else "",
        packages,
    )


def _makes_environment(view: RepoView, split: Split) -> bool:
    """Whether the packages get an environment that the Dockerfile does not have yet."""
    known = {
        found.environment for stage in view.dockerfile.stages for found in installs(view.dockerfile, stage)
    }
    after = Dockerfile.parse(split.text, view.dockerfile.path)
    copies = environment_copies(after, after.stage(view.target.stage))
    return any(copy.path not in known and not within(copy.path, SYSTEM) for copy in copies)


def _runs_that_leave(view: RepoView, split: Split) -> set[str]:
    """The RUNs that write files again, that move to the builder whole, or that install its tools."""
    dockerfile, stage = view.dockerfile, view.stage
    handover = hand_over(dockerfile, stage)
    leaving = [change.instruction for change in (handover.replaced if handover else ())]
    leaving += [
        found.instruction for found in relocatable_runs(dockerfile, stage, split.sorting.lost_commands)
    ]
    leaving += installer_runs(dockerfile, dockerfile.lineage(stage))
    after = Dockerfile.parse(split.text, dockerfile.path)
    final = after.lineage(after.stage(view.target.stage))
    kept = {flat(instruction.value) for ancestor in final for instruction in ancestor.instructions}
    return {flat(instruction.value) for instruction in leaving} - kept
