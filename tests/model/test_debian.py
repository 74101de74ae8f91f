"""The knowledge of Debian's packages, compared with the archive's own package lists."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from phasewise.model.debian.libraries import GONE, LIBRARIES, RENAMED, STILL_PROVIDED
from phasewise.model.debian.packages import (
    COMMANDS,
    DOWNLOADERS,
    RELEASES,
    base_name,
    commands_of,
    is_build_tool,
    is_headers,
    leaves_with,
    release_of,
    runtime_libraries,
)

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HEADERS = re.compile(r"-dev$|-dev-compat$|-multidev$")
NOT_ON_DEBIAN = {"musl-dev", "musl-tools", "golang", "rustup"}


class Archive:
    """The packages of one release."""

    def __init__(self, listing: str) -> None:
        self.packages: dict[str, dict[str, str]] = {}
        self.providers: dict[str, set[str]] = {}
        for paragraph in listing.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Depends|Provides|Source): (.*)$", paragraph, re.M))
            if "Package" in fields:
                self.packages[fields["Package"]] = fields
                for provided in names(fields.get("Provides", "")):
                    self.providers.setdefault(provided, set()).add(fields["Package"])

    def resolves(self, name: str) -> bool:
        """Whether `apt-get install name` knows what to install."""
        return name in self.packages or len(self.providers.get(name, ())) == 1

    def libraries_behind(self, package: str) -> set[str]:
        """Everything that is no -dev package and that `package` depends on, through -dev packages."""
        found: set[str] = set()
        waiting, seen = [package], set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            name = name if name in self.packages else next(iter(self.providers.get(name, {name})))
            for needed in names(self.packages.get(name, {}).get("Depends", "")):
                if HEADERS.search(needed):
                    waiting.append(needed)
                else:
                    found.add(needed)
        return found

    def own_libraries(self, package: str) -> set[str]:
        """Those of `libraries_behind` that `package` names itself and that come from its own source."""
        source = self.packages[package].get("Source", package).split()[0]
        return {
            name
            for name in names(self.packages[package].get("Depends", ""))
            if name.startswith("lib")
            and not name.endswith(("-dev", "-bin"))
            and self.packages.get(name, {}).get("Source", name).split()[0] == source
        }


def names(dependencies: str) -> list[str]:
    """The first alternative of each dependency, without version and architecture."""
    return [
        re.split(r"[ (:|]", part.strip(), maxsplit=1)[0] for part in dependencies.split(",") if part.strip()
    ]


@cache
def archive(release: str) -> Archive:
    """The package list of a release, from the mirror that this machine's apt uses."""
    if not shutil.which("apt-get") or not KEYRING.exists():
        pytest.skip("no apt and no keys of the Debian archive on this machine")
    mirrors = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    mirror = next((uri for uri in mirrors if "debian" in uri and "security" not in uri), None)
    if mirror is None:
        pytest.skip("apt uses no mirror of Debian on this machine")
    state = _state(release)
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {release} main\n")
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/nonexistent",
        f"Dir::State::lists={state}/lists",
        f"Dir::Cache={state}/cache",
        "APT::Sandbox::User=root",
    ]
    flags = [flag for option in options for flag in ("-o", option)]
    subprocess.run(["apt-get", *flags, "update"], capture_output=True, check=False, timeout=300)
    lists = sorted((state / "lists").glob("*_Packages*"))
    if not lists:
        pytest.skip(f"the package list of {release} cannot be fetched")
    read = subprocess.run(
        ["/usr/lib/apt/apt-helper", "cat-file", str(lists[0])], capture_output=True, text=True, check=True
    )
    return Archive(read.stdout)


_folders: dict[str, Path] = {}


def _state(release: str) -> Path:
    folder = _folders[release]
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param not in _folders:
        _folders[request.param] = tmp_path_factory.mktemp(request.param)
    return str(request.param)


def test_every_library_is_in_the_archive_and_behind_its_headers(release: str) -> None:
    packages = archive(release)
    wrong = []
    for headers in LIBRARIES.keys() - GONE.get(release, frozenset()):
        if not packages.resolves(headers):
            wrong.append(f"{headers}: not in {release}")
            continue
        behind = packages.libraries_behind(headers)
        for library in runtime_libraries(headers, release) or ():
            if library not in packages.packages:
                wrong.append(f"{headers}: {library} is not in {release}")
            elif library not in behind:
                wrong.append(f"{headers}: does not depend on {library}")
    assert not wrong


def test_no_library_of_its_own_is_left_out(release: str) -> None:
    packages = archive(release)
    optional = re.compile(
        r"xx\d|\+\+|fortran|-cpp|-headers|arch-config|extra$|gcrypt$|gnutls(-|$)|-nss$|script-interp|icu0|subset"
        r"|harfbuzz-(cairo|gobject)|pangoxft|webpdecoder|sharpyuv|cpp0|netsnmptrapd|cupsimage|gvpr|pathplan|lab-gamut"
        r"|pcre16|pcre32|pcre2-(16|32|posix)|dane|openssl27|mainloop|lite\d|odbccr|pthread$|quad3|xdot|plugins"
        r"|poppler\d|libib-util|-common$|-data$|gir1|tools|doc$"
    )
    missing = {}
    for headers in LIBRARIES.keys() - GONE.get(release, frozenset()):
        if headers not in packages.packages or not LIBRARIES[headers]:
            continue
        own = {name for name in packages.own_libraries(headers) if not optional.search(name)}
        if left_out := own - set(runtime_libraries(headers, release) or ()):
            missing[headers] = sorted(left_out)
    assert not missing


def test_without_a_release_the_names_resolve_on_both_current_ones(release: str) -> None:
    if release == "bullseye":
        pytest.skip("images without a release in their tag are newer than bullseye")
    packages = archive(release)
    unsettled = [
        f"{headers}: {library}"
        for headers in LIBRARIES
        for library in runtime_libraries(headers, None) or ()
        if not packages.resolves(library)
    ]
    assert not unsettled


def test_the_tools_are_packages_of_debian(release: str) -> None:
    packages = archive(release)
    assert not [name for name in {*COMMANDS, *DOWNLOADERS} - NOT_ON_DEBIAN if not packages.resolves(name)]


@pytest.mark.parametrize(
    ("headers", "release", "libraries"),
    [
        ("libpq-dev", None, ("libpq5",)),
        ("libxml2-dev", None, ("libxml2",)),
        ("libxslt1-dev", None, ("libxslt1.1",)),
        ("libffi-dev", None, ("libffi8",)),
        ("libssl-dev", None, ("libssl3",)),
        ("libssl-dev", "bookworm", ("libssl3",)),
        ("libssl-dev", "trixie", ("libssl3t64",)),
        ("libssl-dev", "bullseye", ("libssl1.1",)),
        ("default-libmysqlclient-dev", None, ("libmariadb3",)),
        ("libjpeg-dev", None, ("libjpeg62-turbo",)),
        ("libicu-dev", "bookworm", ("libicu72",)),
        ("python3-dev", None, ()),
    ],
)
def test_headers_become_their_library(headers: str, release: str | None, libraries: tuple[str, ...]) -> None:
    assert runtime_libraries(headers, release) == libraries


@pytest.mark.parametrize(
    ("headers", "release"),
    [
        ("libicu-dev", None),
        ("libatlas-base-dev", "trixie"),
        ("libunheard-of-dev", None),
        ("libpq-dev", "jammy"),
    ],
)
def test_what_is_not_sure_has_no_answer(headers: str, release: str | None) -> None:
    assert runtime_libraries(headers, release) is None


def test_the_release_is_read_from_the_tag_or_from_what_is_installed() -> None:
    assert release_of("python:3.12-slim-bookworm") == "bookworm"
    assert release_of("python:3.12-slim") is None
    assert release_of("bookworm/python:3.12-slim") is None
    assert release_of("python:3.12-slim", {"libssl3t64": 1}) == "trixie"


def test_versions_and_architectures_are_no_part_of_a_name() -> None:
    assert base_name("gcc:amd64=4:12.2.0-3") == "gcc"
    assert base_name("libpq-dev/stable") == "libpq-dev"


@pytest.mark.parametrize("package", ["gcc", "g++-12", "build-essential", "cmake", "cargo", "clang-16"])
def test_tools_of_a_build(package: str) -> None:
    assert is_build_tool(package)
    assert not is_headers(package)


@pytest.mark.parametrize("package", ["libpq-dev", "zlib1g-dev", "linux-headers-amd64", "libstdc++-12-dev"])
def test_headers(package: str) -> None:
    assert is_headers(package)


@pytest.mark.parametrize(
    "package", ["libpq5", "ca-certificates", "postgresql-client", "git", "tini", "libgomp1"]
)
def test_neither(package: str) -> None:
    assert not is_build_tool(package)
    assert not is_headers(package)


def test_a_tool_brings_the_commands_of_what_it_depends_on() -> None:
    assert {"strip", "make", "g++"} <= set(commands_of("build-essential"))
    assert "gcc-12" in commands_of("gcc-12")
    assert commands_of("libpq-dev") == ()


def test_what_leaves_with_a_compiler() -> None:
    installed = {
        "gcc",
        "gcc-12",
        "cpp-12",
        "binutils",
        "binutils-common",
        "libc6-dev",
        "libc6",
        "libgcc-s1",
        "curl",
    }
    gone = leaves_with({"gcc"}, installed, {"curl"})
    assert gone == installed - {"libc6", "libgcc-s1", "curl"}


def test_what_is_asked_for_by_name_stays() -> None:
    assert "libgomp1" not in leaves_with({"gcc"}, {"gcc", "libgomp1"}, {"libgomp1"})


def test_names_that_changed_are_written_once() -> None:
    assert not RENAMED["trixie"].keys() & STILL_PROVIDED.keys()
