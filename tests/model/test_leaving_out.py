"""What a CI image can do without: candidates, what is picked, what follows from a pick."""

from msgspec.structs import replace

from phasewise.model.census import Census, Distribution
from phasewise.model.ci.heavy import Packages
from phasewise.model.ci.leaving_out import Requirements
from phasewise.model.python.imports import Use

MB = 1_000_000


def distribution(name: str, mega_bytes: float, *requires: str, imports: tuple[str, ...] = ()) -> Distribution:
    modules = imports or (name.replace("-", "_"),)
    return Distribution(name, "1.0", "/opt/venv", int(mega_bytes * MB), modules, requires)


CENSUS = Census(
    2_000 * MB,
    (),
    2_000 * MB,
    distributions=(
        distribution("fastapi", 1, "pydantic"),
        distribution("pydantic", 5),
        distribution(
            "torch",
            800,
            "nvidia-cudnn",
            "sympy",
            "filelock",
            "setuptools",
            imports=("torch", "functorch", "_tmp"),
        ),
        distribution("nvidia-cudnn", 600, imports=("nvidia",)),
        distribution("sympy", 70, "mpmath"),
        distribution("mpmath", 4),
        distribution("filelock", 1),
        distribution("setuptools", 9),
        distribution("transformers", 90, "filelock", "numpy"),
        distribution("numpy", 60),
        distribution("pandas", 70, "numpy"),
        distribution("scikit-learn", 45, "numpy", "joblib", imports=("sklearn",)),
        distribution("joblib", 2),
        distribution("pyarrow", 130),
    ),
)
NUMERIC = replace(CENSUS, distributions=tuple(d for d in CENSUS.distributions if d.size_bytes < 75 * MB))
USE = Use("app/main.py", 3, "x")
LATE = Use("app/late.py", 9, "x")


def requirements(
    names: tuple[str, ...],
    always: tuple[str, ...] = (),
    sometimes: tuple[str, ...] = (),
    census: Census | None = CENSUS,
) -> Requirements:
    early = dict.fromkeys(always, USE)
    late = dict.fromkeys(sometimes, LATE)
    return Requirements(names, early, {**early, **late}, Packages.of(names, census))


def test_frameworks_first_then_by_size_and_nothing_small() -> None:
    found = requirements(("fastapi", "pandas", "pyarrow", "torch", "transformers")).candidates()
    assert [each.name for each in found] == ["torch", "transformers", "pyarrow", "pandas"]
    pandas = requirements(("fastapi", "pandas"), census=None).candidates()
    assert [each.name for each in pandas] == ["pandas"]


def test_a_size_has_what_the_package_alone_brings() -> None:
    (torch,) = requirements(("fastapi", "torch")).candidates()
    assert torch.size_bytes == (800 + 600 + 70 + 4 + 1) * MB
    both = requirements(("torch", "transformers")).candidates()
    assert both[0].size_bytes == (800 + 600 + 70 + 4) * MB


def test_lazily_imported_packages_are_picked() -> None:
    here = requirements(("fastapi", "pyarrow"), always=("fastapi",), sometimes=("pyarrow",))
    assert here.default() == {"pyarrow"}
    assert here.candidates()[0].label == "pyarrow 1.0: imported only when needed, app/late.py:9"


def test_frameworks_that_nothing_imports_are_picked_other_packages_are_not() -> None:
    here = requirements(("fastapi", "torch", "pyarrow"))
    assert here.default() == {"torch"}
    assert here.candidates()[1].label == "pyarrow 1.0: not imported by name"


def test_what_the_start_imports_stays() -> None:
    here = requirements(("fastapi", "torch"), always=("torch",))
    assert here.default() == frozenset()
    assert here.candidates()[0].label == "torch 1.0: imported by app/main.py:3 whenever that starts"


def test_what_only_the_package_brings_counts_as_imported_too() -> None:
    here = requirements(("fastapi", "torch"), always=("mpmath",))
    assert here.default() == frozenset()
    assert here.candidates()[0].always == USE


def test_what_two_bring_together_counts_too() -> None:
    """filelock goes with torch and transformers only when both go."""
    here = requirements(("torch", "transformers"), always=("filelock",))
    assert here.default() == frozenset()


def test_what_another_package_needs_stays() -> None:
    names = ("pandas", "numpy", "scikit-learn")
    here = requirements(names, always=("pandas",), sometimes=("numpy", "sklearn"), census=NUMERIC)
    assert here.default() == {"scikit-learn"}
    assert here.dropped({"numpy"}) == ()
    assert [each.label for each in here.candidates()] == [
        "pandas 1.0: imported by app/main.py:3 whenever that starts",
        "numpy 1.0: installed all the same, pandas needs it",
        "scikit-learn 1.0: imported only when needed, app/late.py:9",
    ]


def test_the_packages_gone_and_the_modules_lost() -> None:
    here = requirements(("fastapi", "torch", "transformers"))
    assert here.dropped({"torch"}) == ("torch",)
    assert here.gone({"torch"}) == {"torch", "nvidia-cudnn", "sympy", "mpmath"}
    both = here.gone({"torch", "transformers"})
    assert "filelock" in both
    assert "numpy" not in both, "pandas is installed by another way"
    assert here.modules({"torch"}) == ("functorch", "mpmath", "nvidia", "sympy", "torch")


def test_a_compiled_list_loses_what_only_the_package_needs() -> None:
    """pip-compile lists everything; nvidia-cudnn stands there only for torch."""
    names = (
        "fastapi",
        "filelock",
        "mpmath",
        "nvidia-cudnn",
        "numpy",
        "pydantic",
        "sympy",
        "torch",
        "transformers",
    )
    here = requirements(names, always=("fastapi",), sometimes=("numpy",))
    assert set(here.roots) == {"fastapi", "numpy", "torch", "transformers"}
    assert here.dropped({"torch"}) == ("mpmath", "nvidia-cudnn", "sympy", "torch")


def test_a_forced_pick_does_not_make_the_check_red() -> None:
    here = requirements(("fastapi", "torch"), always=("torch",))
    assert here.dropped({"torch"}) == ("torch",)
    assert "torch" not in here.modules({"torch"})


def test_without_a_census_what_is_known_is_enough() -> None:
    names = ("fastapi", "numpy", "pandas", "scikit-learn", "lightgbm")
    here = requirements(names, ("pandas",), ("numpy", "sklearn", "lightgbm"), census=None)
    assert here.default() == {"scikit-learn", "lightgbm"}
    labels = {each.name: each.label for each in here.candidates()}
    assert labels["numpy"] == "numpy: installed all the same, pandas needs it"
    assert all(each.size_bytes is None for each in here.candidates())


def test_a_requirement_that_is_not_installed_is_no_candidate() -> None:
    assert not requirements(("fastapi", "tensorflow")).candidates()


def test_what_came_another_way_keeps_what_it_needs() -> None:
    """pandas is installed, but by an extra or another command: numpy stays with it."""
    here = requirements(("fastapi", "numpy"), sometimes=("numpy",), census=NUMERIC)
    assert here.default() == frozenset()
    assert here.dropped({"numpy"}) == ()
    assert here.candidates()[0].needed_by == "pandas"
