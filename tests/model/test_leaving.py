"""Which Debian packages leave with others: by their dependencies, and by names where those are not known."""

import pytest
from msgspec.structs import replace

from phasewise.model.census import Census
from phasewise.model.debian.leaving import leaving

SIZES = dict.fromkeys(
    ("base", "libc6", "git", "git-man", "liberror-perl", "perl", "libcurl3", "curl", "libcurl4", "zlib1g"), 1
)
NEEDS = {
    "base": ("libc6", "zlib1g"),
    "git": ("git-man", "liberror-perl", "libcurl3", "zlib1g", "perl"),
    "liberror-perl": ("perl",),
    "perl": ("libc6",),
    "curl": ("libcurl4",),
    "libcurl4": ("zlib1g",),
    "libcurl3": ("zlib1g",),
}
CENSUS = Census(
    9,
    (),
    9,
    apt_packages=SIZES,
    apt_needs=NEEDS,
    apt_automatic=("git-man", "liberror-perl", "perl", "libcurl3", "libcurl4", "zlib1g"),
)


@pytest.mark.parametrize(
    ("moved", "stays", "gone"),
    [
        ({"git"}, set(), {"git", "git-man", "liberror-perl", "perl", "libcurl3"}),
        ({"git"}, {"perl", "libcurl3"}, {"git", "git-man", "liberror-perl"}),
        ({"curl"}, {"git"}, {"curl", "libcurl4"}),
        ({"git", "curl"}, set(), SIZES.keys() - {"base", "libc6", "zlib1g"}),
        ({"nowhere"}, set(), set()),
        # What something that stays needs is only not asked for any more.
        ({"libcurl4"}, set(), set()),
    ],
)
def test_what_nothing_needs_any_more_leaves(moved: set[str], stays: set[str], gone: set[str]) -> None:
    assert leaving(CENSUS, moved, stays) == gone


def test_without_dependencies_names_tell() -> None:
    unknown = replace(CENSUS, apt_needs={}, apt_automatic=())
    assert leaving(unknown, {"git"}, set()) == {"git", "git-man", "liberror-perl"}
    assert leaving(unknown, {"git"}, {"git-man"}) == {"git", "liberror-perl"}
