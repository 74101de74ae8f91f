"""The build command: options first, values never taken for options."""

from pathlib import Path

from phasewise.migration.buildx import Build, argument_list


def arguments(**fields: object) -> list[str]:
    return argument_list(Build(Path("/c"), Path("/c/Dockerfile"), **fields), "default", Path("/id"))


def test_the_context_stands_behind_a_double_dash() -> None:
    assert arguments(tag="a:1")[-2:] == ["--", "/c"]


def test_every_value_is_joined_to_its_option() -> None:
    built = arguments(tag="--tag", stage="--no-cache", arguments={"A": "--b"}, labels={"l": "-x"})
    assert {"--tag=--tag", "--target=--no-cache", "--build-arg=A=--b", "--label=l=-x"} <= set(built)
    assert "--no-cache" not in built


def test_a_cold_build_names_the_cache_mounts_anew_each_time() -> None:
    def fresh() -> list[str]:
        return [part for part in arguments(tag="a:1", cold=True) if "BUILDKIT_CACHE_MOUNT_NS" in part]

    assert "--no-cache" in arguments(tag="a:1", cold=True)
    assert len(fresh()) == 1
    assert fresh() != fresh()
    assert not [part for part in arguments(tag="a:1") if "CACHE_MOUNT" in part or "no-cache" in part]


def test_files_are_written_without_an_image() -> None:
    built = arguments(output=Path("/out"))
    assert "--output=type=local,dest=/out" in built
    assert not [part for part in built if part.startswith(("--load", "--iidfile", "--tag"))]
