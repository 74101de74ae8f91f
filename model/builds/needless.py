"""What a build context can do without, for certain: what no Dockerfile names, no code opens and no command uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from msgspec import Struct, field

from phasewise.model.builds.context_reads import Reads
from phasewise.model.builds.dockerignore import ignore_file, is_ignored, taken_back
from phasewise.model.builds.left_out import NODE_MODULES, PATTERNS, UNTRACKED, Pattern, git_ignores
from phasewise.model.builds.shared_context import Taken, sharing, taken
from phasewise.model.dockerfile import Dockerfile
from phasewise.model.node import node_install
from phasewise.model.phase import Evidence
from phasewise.model.repo import RepoView, normalise


class Line(Struct, frozen=True):
    """A pattern that can be written, with the files that it must let in all the same."""

    pattern: Pattern
    matched: frozenset[str]
    """Tracked files that it keeps out, relative to the context."""
    exceptions: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The lines of the ignore file."""
        return (self.pattern.text, *(f"!{name}" for name in self.exceptions))


class Kept(Struct, frozen=True):
    """Something that stays in the context, and the line that wants it."""

    name: str
    evidence: Evidence


class Context(Struct, dict=True):
    """The build context of a view's target.

    Raises:
        NotKnown: from any member: a Dockerfile that shares the context takes something that is not known.
    """

    view: RepoView
    kept: list[Kept] = field(default_factory=list)
    """Filled when `lines` is asked for."""

    @property
    def ignore_file(self) -> str:
        """The path of the ignore file, whether it is there or not."""
        return ignore_file(self.view, self.view.target.dockerfile, self.view.target.context)

    @property
    def ignored(self) -> str:
        """The ignore file's text."""
        return self.view.files.get(self.ignore_file, "")

    @cached_property
    def files(self) -> dict[str, str]:
        """The repository paths of the tracked files in the context, by their path relative to it."""
        root = normalise(self.view.target.context)
        prefix = "" if root == "." else f"{root}/"
        paths = self.view.paths | self.view.sizes.keys()
        return {path.removeprefix(prefix): path for path in sorted(paths) if path.startswith(prefix)}

    @cached_property
    def taken(self) -> tuple[Taken, ...]:
        """What the Dockerfiles that share the ignore file take from the context."""
        return tuple(each for dockerfile in self._dockerfiles for each in taken(self.view, dockerfile))

    @cached_property
    def whole(self) -> tuple[Taken, ...]:
        """Where the target's stages take all of it."""
        dockerfile = self.view.dockerfile
        needed = dockerfile.needed_by(self.view.stage)
        return tuple(
            each
            for each in self.taken
            if each.is_everything and each.dockerfile is dockerfile and each.instruction.stage in needed
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tracked `.env` files that come in, relative to the context."""
        return tuple(sorted(name for name in self._coming if name.rpartition("/")[2] == ".env"))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """What can be left out."""
        found = [line for pattern in PATTERNS if (line := self._line(pattern))]
        found = self._without_groups(found)
        while True:
            again = self._without_read(found)
            if again == found:
                return tuple(found)
            found = again

    def size_bytes(self, ignored: str) -> tuple[int, int]:
        """How many tracked files come in with that text of the ignore file, and their bytes."""
        coming = [path for name, path in self.files.items() if not is_ignored(ignored, name)]
        return len(coming), sum(map(self._bytes, coming))

    def bytes_of(self, lines: Iterable[Line]) -> int:
        """The bytes of the tracked files that the lines keep out."""
        return sum(
            self._bytes(self.files[name]) for name in {name for line in lines for name in line.matched}
        )

    def _bytes(self, path: str) -> int:
        """Those of the commit; of a file that is not in it, those of its text."""
        return self.view.sizes[path] if path in self.view.sizes else len(self.view.files.get(path, ""))

    @cached_property
    def _dockerfiles(self) -> tuple[Dockerfile, ...]:
        return sharing(self.view)

    @cached_property
    def _coming(self) -> frozenset[str]:
        """The tracked files that come in now."""
        return frozenset(name for name in self.files if not is_ignored(self.ignored, name))

    @cached_property
    def _by_root(self) -> dict[str, list[str]]:
        """The tracked files by the name at the context's root that they are or lie in."""
        found: dict[str, list[str]] = {}
        for name in self.files:
            found.setdefault(name.split("/")[0], []).append(name)
        return found

    def _matching(self, pattern: Pattern) -> list[str]:
        """The tracked files that the pattern keeps out; all patterns but those with `**/` are of one part."""
        if pattern.text.startswith("**/"):
            part = f"/{pattern.text.removeprefix('**/')}/"
            return [name for name in self.files if part in f"/{name}/"]
        return [
            name for root, names in self._by_root.items() if is_ignored(pattern.text, root) for name in names
        ]

    @cached_property
    def _reads(self) -> Reads:
        return Reads(self.view, self._dockerfiles)

    @cached_property
    def _git_ignored(self) -> tuple[str, ...]:
        paths = (".gitignore", normalise(f"{self.view.target.context}/.gitignore"))
        return tuple(self.view.files.get(path, "") for path in dict.fromkeys(paths))

    def _line(self, pattern: Pattern) -> Line | None:
        """The pattern, where it would keep something out that comes in, and nothing that is asked for by name."""
        tracked = self._matching(pattern)
        matched = frozenset(tracked) & self._coming
        if pattern.group in UNTRACKED:
            usual = (
                pattern.always
                or git_ignores(self._git_ignored, pattern.untracked)
                or (pattern.text == NODE_MODULES and self._installs_node_packages())
            )
            if (
                tracked
                or not usual
                or is_ignored(self.ignored, pattern.untracked)
                or not self._can_be(pattern)
            ):
                return None
        elif not matched and not self._is_usual_beside(pattern):
            return None
        by_name = next((each for each in self.taken if _names(each, pattern, tracked)), None)
        if by_name:
            place = by_name.dockerfile.path, by_name.instruction.line
            self._keep(pattern.text, self.view.evidence(*place))
            return None
        asked_for = [name for name in taken_back(self.ignored) if _meets(pattern, name, tracked)]
        return None if asked_for else Line(pattern, matched)

    def _can_be(self, pattern: Pattern) -> bool:
        if pattern.text == ".git":
            return normalise(self.view.target.context) == "."
        made_by = "package.json" if "node_modules" in pattern.text else ".py"
        return pattern.group != "caches" or any(name.endswith(made_by) for name in self.files)

    def _installs_node_packages(self) -> bool:
        """Whether each Dockerfile that takes the whole context installs what its package.json asks for itself: then no
        image needs the node_modules of the machine that builds. Only one package.json, at the root, is understood."""
        asking = [name for name in self.files if name.rpartition("/")[2] == "package.json"]
        if asking != ["package.json"] or is_ignored(self.ignored, "node_modules"):
            return False
        whole = {each.dockerfile.path: each.dockerfile for each in self.taken if each.is_everything}
        return all(
            any(node_install(dockerfile, each) for each in dockerfile.instructions)
            for dockerfile in whole.values()
        )

    def _is_usual_beside(self, pattern: Pattern) -> bool:
        """Whether an editor's folder that nobody tracks is worth a line: git is told to ignore it, too."""
        return bool(
            pattern.untracked
            and git_ignores(self._git_ignored, pattern.untracked)
            and not is_ignored(self.ignored, pattern.untracked)
        )

    def _without_groups(self, found: list[Line]) -> list[Line]:
        """Without the groups that a command in the image wants as a whole."""
        reads = self._reads
        wanted = {"tests": reads.tests, "documentation": reads.documentation, "history": reads.history}
        for group, evidence in wanted.items():
            own = [line for line in found if line.pattern.group == group]
            if evidence and own:
                self._keep(own[0].pattern.text, evidence)
                found = [line for line in found if line not in own]
        return found

    def _without_read(self, found: list[Line]) -> list[Line]:
        """Without what is read by something that stays."""
        doubtful = {self.files[n] for line in found if line.pattern.group != "docker" for n in line.matched}
        names = {
            name for line in found if line.pattern.group not in UNTRACKED - {"data"} for name in _roots(line)
        }
        with_tests = self._reads.tests is not None or not any(line.pattern.group == "tests" for line in found)
        reads = self._reads.first(names, doubtful, with_tests)
        left = []
        for line in found:
            read = sorted(_roots(line) & reads.keys())
            for name in read:
                self._keep(name, reads[name])
            if not read:
                left.append(line)
            elif "*" in line.pattern.text and line.pattern.text not in read and line.matched - {*read}:
                exceptions = tuple(sorted({*line.exceptions, *read}))
                left.append(Line(line.pattern, line.matched - {*read}, exceptions))
        return left

    def _keep(self, name: str, evidence: Evidence) -> None:
        if all(kept.name != name for kept in self.kept):
            self.kept.append(Kept(name, evidence))


def _roots(line: Line) -> set[str]:
    """The names at the context's root that the pattern stands for: of what it matches, and its own."""
    return {line.pattern.text, *(name.split("/")[0] for name in line.matched)}


def _names(each: Taken, pattern: Pattern, tracked: Sequence[str]) -> bool:
    """Whether an instruction names something that the pattern keeps out."""
    return not each.is_everything and _meets(pattern, each.path, tracked)


def _meets(pattern: Pattern, path: str, tracked: Collection[str]) -> bool:
    """Whether the pattern keeps `path`, or something in it, out; it may hold wildcards."""
    if is_ignored(pattern.text, path):
        return True
    usual = [pattern.untracked] if pattern.untracked and pattern.group != "caches" else []
    return any(
        name == path
        or name.startswith(f"{path}/")
        or fnmatchcase(name, path)
        or fnmatchcase(name, f"{path}/*")
        for name in (*tracked, *usual)
    )
