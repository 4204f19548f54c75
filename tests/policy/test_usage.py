"""A report of usage that no call can have made is not believed, and a prompt's size has a bound."""

import pytest

from oneflow_ai.core.events import Usage
from oneflow_ai.policy.usage import TOKENS_MOST, believable, input_tokens_bound, total


@pytest.mark.parametrize(
    ("inputs", "outputs", "may_be"),
    [(0, 0, True), (TOKENS_MOST, 0, True), (TOKENS_MOST, 1, False), (0, 1 << 53, False)],
)
def test_more_tokens_than_any_model_takes_are_not_believed(inputs: int, outputs: int, may_be: bool) -> None:
    assert believable(Usage(inputs, outputs)) is may_be


@pytest.mark.parametrize(
    ("arguments", "tokens"),
    [
        ({"prompt_bytes": 0}, 0),
        ({"prompt_bytes": 100}, 100),  # no more tokens than bytes
        ({"prompt_bytes": 4_000}, 1_556),
        ({"prompt_bytes": 4_001}, 1_558),  # 1,001 tokens, three tenths more, rounded up
        ({"prompt_bytes": 4_000, "wide_bytes": 4_000}, 2_856),
        ({"prompt_bytes": 0, "images": 2, "image_tokens": 1_000, "other_tokens": 5}, 2_005),
    ],
)
def test_a_prompt_is_bounded_by_its_estimate_or_its_bytes(arguments: dict[str, int], tokens: int) -> None:
    assert input_tokens_bound(**arguments) == tokens


def test_the_parts_of_one_answer_are_added_up_and_as_sure_as_the_least_sure() -> None:
    first = Usage(10, 4, cached_tokens=2, source="estimated", odd=True, cost_nanos=5)
    second = Usage(14, 6, reasoning_tokens=1, service_tier="default", cost_nanos=7)
    assert total((first,)) is first
    assert total((first, second)) == Usage(
        24, 10, cached_tokens=2, reasoning_tokens=1, source="estimated", odd=True, cost_nanos=12, service_tier="default"
    )
    assert total((second, second)).source == "provider"
    assert total((first, Usage(1, 1))).cost_nanos is None
