"""A missing need skips a test, and fails it when it is required by name."""

import pytest

from tests import needs


@pytest.mark.parametrize(
    ("value", "names"), [("", set()), ("shared", {"shared"}), (" nginx , shared ,", {"nginx", "shared"})]
)
def test_the_variable_lists_needs(value: str, names: set[str]) -> None:
    assert needs.required({needs.REQUIRED_VARIABLE: value}) == names


def test_an_unknown_need_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match="names ngnix; known are browser, cc, curl, nginx"):
        needs.required({needs.REQUIRED_VARIABLE: "ngnix"})


@pytest.mark.parametrize(("value", "outcome"), [("", pytest.skip.Exception), ("shared", pytest.fail.Exception)])
def test_a_missing_need_skips_or_fails(
    value: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("ONEFLOW_TEST_SHARED", str(tmp_path))
    monkeypatch.setenv(needs.REQUIRED_VARIABLE, value)
    with pytest.raises(outcome, match="shared"):
        needs.require("shared")
