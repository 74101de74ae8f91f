"""Names of images: valid for the engine, apart for each repository, target and commit."""

import re
from pathlib import Path

import pytest

from phasewise.migration import image_names
from phasewise.model.repo import Target

REFERENCE = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*:[\w.-]{1,128}")


@pytest.mark.parametrize(
    "folder", ["service", "My Service!", "-x-", "日本", ".hidden", "a" * 300, "x__y", "\udcff"]
)
def test_the_engine_takes_them(folder: str) -> None:
    name = image_names.of_commit(Path("/work") / folder, Target("Dockerfile"), "c0ffee" * 7)
    assert REFERENCE.fullmatch(name), name
    assert len(name.partition(":")[0]) < 128
    assert name.endswith(":c0ffeec0ffee")


def test_they_are_apart() -> None:
    target, root = Target("Dockerfile"), Path("/a/service")
    names = [
        image_names.of_target(root, target),
        image_names.of_target(root, Target("Dockerfile", stage="test")),
        image_names.of_target(root, Target("api/Dockerfile")),
        image_names.of_target(Path("/b/service"), target),
    ]
    assert len(set(names)) == len(names)
    family = image_names.of_repository(root)
    assert [name.startswith(family) for name in names] == [True, True, True, False]
    assert not image_names.of_repository(Path("/a/service-2")).startswith(family)


def test_the_context_and_arguments_are_no_part_of_the_name() -> None:
    root = Path("/a/service")
    assert image_names.of_target(root, Target("Dockerfile", "api", None, (("A", "1"),))) == (
        image_names.of_target(root, Target("Dockerfile"))
    )
