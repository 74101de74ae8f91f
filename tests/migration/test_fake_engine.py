"""The fake engine has the real one's methods, and fails on unexpected and on missing calls."""

import inspect

import pytest
from fake_engine import FakeEngine, image_info, printed

from phasewise.migration.images import Engine


def methods(engine: type) -> dict[str, str]:
    found = inspect.getmembers(engine, inspect.isfunction)
    scripting = ("expect_", "assert_", "_")
    return {name: str(inspect.signature(method)) for name, method in found if not name.startswith(scripting)}


def test_it_has_the_methods_of_the_engine() -> None:
    assert methods(FakeEngine) == methods(Engine)
    properties = {
        name for name, value in vars(Engine).items() if isinstance(value, property) and name[0] != "_"
    }
    assert all(hasattr(FakeEngine, name) for name in properties)


def test_an_unexpected_call_fails() -> None:
    with FakeEngine() as engine:
        engine.images["a:1"] = image_info()
        with pytest.raises(AssertionError, match="unexpected"):
            engine.run("a:1", ["true"])


def test_other_arguments_fail(tmp_path) -> None:
    engine = FakeEngine()
    engine.expect_build(tag="a:1", cold=True)
    with pytest.raises(AssertionError, match="cold"):
        list(engine.build(tmp_path, tmp_path, tag="a:1"))


def test_a_missing_call_fails() -> None:
    engine = FakeEngine()
    engine.expect_run(printed({}))
    with pytest.raises(AssertionError, match="did not come"):
        engine.assert_nothing_is_missing()
