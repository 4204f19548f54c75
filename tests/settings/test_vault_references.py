"""`vault:NAME` in the configuration: keys of the vault by name, each for the address alone that it was kept for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.settings import Loaded, Mistake, SettingsError, credentials, load
from oneflow_ai.settings.credentials import KeyPlace, check_key, key_places, owner_of, vault_names
from tests.settings.place import HOME, KINDS, Place

OPENAI = "https://api.openai.com"
GROQ = "https://api.groq.com"

Kept = Mapping[str, tuple[KeptKey, ...]]


def key(text: str, origin: str = OPENAI) -> KeptKey:
    """A key as the vault gives it."""
    return KeptKey(Secret(text), origin=origin, row_id=f"pk_{text}")


def opened(place: Place, text: str, vault: Kept, **variables: str) -> Loaded:
    """The configuration with an open vault that holds these keys."""
    place.write(text)
    found = {"ONEFLOW_HOME": HOME, **variables}
    return load(None, found, place.directory, kinds=KINDS, vault=lambda _: vault)


def mistakes(place: Place, text: str, vault: Kept) -> list[Mistake]:
    with pytest.raises(SettingsError) as refused:
        opened(place, text, vault)
    return list(refused.value.mistakes)


def revealed(loaded: Loaded, name: str = "openai") -> list[str]:
    return [secret.reveal() for secret in credentials(loaded, name)]


def test_a_key_is_taken_by_its_name_before_any_other(place: Place) -> None:
    text = '[providers.openai]\napi_key = "vault:work"'
    loaded = opened(place, text, {"work": (key("a"), key("b")), "openai": (key("c"),)}, OPENAI_API_KEY="d")
    assert revealed(loaded) == ["a", "b"]


def test_several_references_are_keys_in_their_order(place: Place) -> None:
    text = '[providers.openai]\napi_keys = ["vault:work", "env:KEY", "vault:home"]'
    assert revealed(opened(place, text, {"work": (key("a"),), "home": (key("c"),)}, KEY="b")) == ["a", "b", "c"]


def test_a_variable_may_hold_a_reference_to_the_vault(place: Place) -> None:
    loaded = opened(place, "", {"work": (key("a"),)}, ONEFLOW_PROVIDERS__OPENAI__API_KEY="vault:work")
    assert revealed(loaded) == ["a"]


def test_two_providers_at_one_address_may_share_a_key(place: Place) -> None:
    text = '[providers.openai]\napi_key = "vault:work"\n[providers.two]\nkind = "openai"\napi_key = "vault:work"'
    loaded = opened(place, text, {"work": (key("a"),)})
    assert (revealed(loaded), revealed(loaded, "two")) == (["a"], ["a"])


@pytest.mark.parametrize(
    ("vault", "words"),
    [
        ({}, "vault:work: the vault has no key of that name: `oneflow keys set work --vault` keeps one"),
        ({"openai": (key("a"),)}, "vault:work: the vault has no key of that name"),
        (
            {"work": (key("a", GROQ),)},
            "vault:work: the vault's key of that name is for https://api.groq.com alone: `oneflow keys set work",
        ),
    ],
)
def test_a_name_that_leads_to_no_key_is_a_mistake_with_its_line_and_a_cure(
    place: Place, vault: Kept, words: str
) -> None:
    (mistake,) = mistakes(place, '[providers.openai]\napi_key = "vault:work"', vault)
    assert (mistake.where, mistake.name) == ("oneflow.toml:2", "providers.openai.api_key")
    assert mistake.message.startswith(words)


def test_the_name_of_a_provider_elsewhere_cannot_be_a_name_for_this_ones_key(place: Place) -> None:
    text = '[providers.two]\nkind = "openai"\nbase_url = "https://api.groq.com/v1"\napi_key = "vault:openai"'
    (mistake,) = mistakes(place, text, {"openai": (key("a"),)})
    words = "the vault's keys of that name are for https://api.openai.com alone: use another name for this one"
    assert mistake.message == f"vault:openai: {words}"


def test_a_key_whose_time_is_over_is_none(place: Place) -> None:
    ended = replace(key("a"), ends_at=load(None, {"ONEFLOW_HOME": HOME}, place.directory).at - timedelta(1))
    (mistake,) = mistakes(place, '[providers.openai]\napi_key = "vault:openai"', {"openai": (ended,)})
    assert "has no key of that name" in mistake.message


def test_while_the_vault_is_closed_nobody_knows_what_is_in_it(place: Place) -> None:
    assert revealed(place.load('[providers.openai]\napi_key = "vault:work"')) == []


def test_a_vault_that_cannot_be_opened_is_the_one_thing_told(place: Place) -> None:
    place.write('[providers.openai]\napi_key = "vault:work"')

    def lost(_: Loaded) -> Kept:
        raise SettingsError([Mistake("the vault", "", "secret.key is missing")])

    with pytest.raises(SettingsError) as refused:
        load(None, {"ONEFLOW_HOME": HOME}, place.directory, kinds=KINDS, vault=lost)
    assert [str(each) for each in refused.value.mistakes] == ["the vault: secret.key is missing"]


def test_a_key_that_left_the_vault_while_it_serves_is_used_no_more(place: Place) -> None:
    loaded = opened(place, '[providers.openai]\napi_key = "vault:openai"', {"openai": (key("a"),)})
    assert revealed(replace(loaded, vault={"openai": (key("b"), key("a"))})) == ["b", "a"]
    assert revealed(replace(loaded, vault={})) == []


def test_another_account_never_stands_in_for_a_key_that_left_the_vault(place: Place) -> None:
    text = '[providers.openai]\napi_key = "vault:work"'
    loaded = opened(place, text, {"work": (key("a"),), "openai": (key("c"),)}, OPENAI_API_KEY="d")
    assert revealed(replace(loaded, vault={"openai": (key("c"),)})) == []


def test_headers_of_providers_and_targets_may_come_from_the_vault(place: Place) -> None:
    text = (
        '[providers.openai]\nheaders = { x-gate = "vault:gate" }\n'
        '[[routes.text.targets]]\ntarget = "groq/m"\nheaders = { x-gate = "vault:groq" }\n[providers.groq]\n'
    )
    vault = {"gate": (key("a"),), "groq": (key("b", GROQ),)}
    assert vault_names(opened(place, text, vault)) == {"gate": "openai", "groq": "groq"}
    found = mistakes(place, text, {"gate": (key("a", GROQ),)})
    assert [(each.where, each.name) for each in found] == [
        ("oneflow.toml:2", "providers.openai.headers"),
        ("oneflow.toml:5", "routes.text.targets[0].headers"),
    ]


def test_a_target_that_names_no_provider_has_no_address_for_a_key(place: Place) -> None:
    text = '[[routes.text.targets]]\ntarget = "gpt-6-luna"\nheaders = { x-gate = "vault:gate" }'
    (mistake,) = mistakes(place, text, {"gate": (key("a"),)})
    assert "write PROVIDER/MODEL as the target" in mistake.message


def test_where_a_key_is_is_told_by_its_name(place: Place) -> None:
    def places(reference: str, vault: Kept) -> list[tuple[str, str]]:
        loaded = opened(place, f"[providers.openai]\n{reference}", vault)
        return [(found.sort, found.shown) for found in key_places(loaded, "openai")]

    own, other = {"openai": (key("a"),)}, {"work": (key("b"),)}
    assert places('api_key = "vault:openai"', own) == [("vault", "vault")]
    assert places('api_key = "vault:work"', {**own, **other}) == [("configuration", "vault:work"), ("vault", "vault")]
    assert places('api_keys = ["vault:work", "vault:openai"]', {**own, **other}) == [("configuration", "api_keys")]


def test_a_name_of_the_vault_belongs_to_the_provider_that_asks_for_it(place: Place) -> None:
    loaded = opened(place, '[providers.groq]\napi_key = "vault:work"', {"work": (key("b", GROQ),)})
    assert owner_of(loaded, "work") == owner_of(loaded, "groq") == "groq"
    (found,) = key_places(loaded, "work")
    assert found == KeyPlace("vault", "vault", loaded.vault["work"])
    check_key(loaded, "work", Secret("k"))
    with pytest.raises(KeyError):
        owner_of(loaded, "nobody")
