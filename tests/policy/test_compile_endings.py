"""What has ended at its provider is refused, named with its day; what a server of the operator's own has is not."""

import pytest

from oneflow_ai.core.failure import MODEL_RETIRED, Failure
from oneflow_ai.core.listing import Listed
from oneflow_ai.policy.route import model_targets
from oneflow_ai.providers.table import TABLE
from tests.policy.compiled import TODAY, catalog, compiled, route, routed, row, the

ENDS = catalog().facts.ends
GONE = [
    (kind, name.rstrip("*"))
    for kind, rows in ENDS.items()
    for name, end in rows.items()
    if "shutdown" not in end or end["shutdown"] <= TODAY
]


@pytest.mark.parametrize(("kind", "model"), GONE)
def test_every_model_of_the_catalogue_that_has_ended_is_refused(kind: str, model: str) -> None:
    snapshot = compiled(row(kind))
    for name in (f"{kind}/{model}", model):
        with pytest.raises(Failure, match="retired") as refused:
            model_targets(snapshot, name)
        assert (refused.value.kind, refused.value.status) == (MODEL_RETIRED, 404)
    assert model not in snapshot.providers[kind].listed


@pytest.mark.parametrize("follow", [False, True])
def test_a_route_keeps_a_model_that_has_ended_without_a_successor(follow: bool) -> None:
    found = compiled(row("openai"), routes=[route("openai/computer-use-preview")], follow_successors=follow)
    assert routed(found) == ["openai/computer-use-preview"]


@pytest.mark.parametrize("model", ["gpt-4", "computer-use-preview"])
@pytest.mark.parametrize("follow", [False, True])
def test_a_server_of_the_operators_own_serves_what_has_ended_elsewhere(model: str, follow: bool) -> None:
    own = row("mine", "openai")
    found = the(compiled(own, follow_successors=follow), f"mine/{model}")
    assert (found.place, found.ends) == (f"mine/{model}", None)
    assert model not in compiled(own).providers["mine"].listed
    listing = row("mine", "openai", offered={model: Listed(model)})
    assert the(compiled(listing), model).place == f"mine/{model}"
    assert compiled(listing).providers["mine"].listed == {model}
    gone = compiled(row("mine", "openai", offered={model: Listed(model, gone=True)}))
    with pytest.raises(Failure, match=f"mine/{model} is retired"):
        model_targets(gone, f"mine/{model}")


def test_a_second_account_at_the_providers_own_address_has_its_endings() -> None:
    address = TABLE["openai"].base_url
    with pytest.raises(Failure, match="eu/computer-use-preview is retired since 2026-07-23"):
        model_targets(compiled(row("eu", "openai", base_url=address)), "eu/computer-use-preview")


def test_a_name_that_only_fits_a_pattern_of_endings_is_not_repeated() -> None:
    with pytest.raises(Failure, match=r"^the model is retired at openai since 2026-07-23; choose another model$"):
        model_targets(compiled(row("openai")), "openai/computer-use-preview<b>")


@pytest.mark.parametrize("model", ["gpt-4", "computer-use-preview"])
def test_a_retired_model_can_be_taken_as_it_stands(model: str) -> None:
    for name in (model, f"openai/{model}"):
        [found] = model_targets(compiled(row("openai")), name, as_it_stands=True)
        assert found.place == f"openai/{model}"
