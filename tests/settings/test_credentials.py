"""References lead to secrets, keys are found in the promised order, and no secret ever shows."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import (
    Loaded,
    Mistake,
    ProviderSettings,
    SettingsError,
    configured_providers,
    credentials,
    json_schema,
    load,
    resolve,
    resolve_headers,
    show,
)
from oneflow_ai.settings.credentials import kept_keys, key_places
from oneflow_ai.settings.keys_file import FORM, KEYS_FILE
from tests.settings.place import Place

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


def revealed(loaded: Loaded, provider: str) -> tuple[str, ...]:
    return tuple(secret.reveal() for secret in credentials(loaded, provider))


def test_a_reference_leads_to_its_secret(place: Place) -> None:
    place.write("from a file \r\n", "home/key")
    absolute = place.write("elsewhere", "key")
    environment = {"A": "from a variable", "EMPTY": ""}
    assert resolve("env:A", environment, place.home) == Secret("from a variable")
    with pytest.raises(SettingsError, match="a secret's reference is env:NAME, file:PATH or"):
        resolve("vault:A", environment, place.home)
    assert resolve("env:EMPTY", environment, place.home) is None
    assert resolve("env:UNSET", environment, place.home) is None
    assert resolve("file:key", environment, place.home) == Secret("from a file ")
    assert resolve(f"file:{absolute}", environment, place.home) == Secret("elsewhere")


def _gone(place: Place) -> None:
    place.home.mkdir()


def _folder(place: Place) -> None:
    (place.home / "key").mkdir(parents=True)


def _pipe(place: Place) -> None:
    place.home.mkdir()
    os.mkfifo(place.home / "key")


def _not_text(place: Place) -> None:
    place.write("", "home/key").write_bytes(b"\xff")


def _long(place: Place) -> None:
    place.write("a" * 65_537, "home/key")


UNREADABLE = [
    (_gone, "cannot be read: No such file or directory"),
    (_folder, "cannot be read: Is a directory"),
    (_pipe, "is not a file"),
    (_not_text, "is not text"),
    (_long, "is longer than 65536 bytes"),
]


@pytest.mark.skipif(os.name != "posix", reason="pipes and modes are POSIX's")
@pytest.mark.parametrize(("make", "message"), UNREADABLE, ids=[message for _, message in UNREADABLE])
def test_a_file_that_cannot_be_used_is_told(place: Place, make: Callable[[Place], None], message: str) -> None:
    make(place)
    with pytest.raises(SettingsError) as told:
        resolve("file:key", {}, place.home)
    assert told.value.mistakes == (Mistake("file:key", "", message),)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(
    ("mode", "refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)]
)
def test_files_of_secrets_are_for_their_owner_alone(place: Place, mode: int, refused: bool) -> None:
    """A wider mode is refused with the command that mends it, wherever a secret is read from a file."""
    path = place.write("secret", "home/key", mode)
    keys = place.write('{"groq": "secret"}', KEYS_FILE, mode)
    mistakes = place.mistakes('[providers.openai]\napi_key = "file:key"\n[providers.groq]')
    told = [(each.where, each.message) for each in mistakes]
    assert told == (
        [
            ("oneflow.toml:2", f"file:key can be read by others (mode {mode:04o}): chmod 600 {path}"),
            (KEYS_FILE, f"can be read by others (mode {mode:04o}): chmod 600 {keys}"),
        ]
        if refused
        else []
    )


CONFIGURED = '[providers.openai]\napi_key = "env:OWN"\n'


def test_keys_come_from_the_first_place_that_has_any(place: Place) -> None:
    """Configuration, the kind's variable, the working directory's file, the home's: each taken away in turn."""
    place.write('{"openai": "home"}', f"home/{KEYS_FILE}")
    here = place.write('{"openai": ["here", "here", "", "here2"], "groq": "g"}', KEYS_FILE)
    assert revealed(place.load(CONFIGURED, OWN="own", OPENAI_API_KEY="standard"), "openai") == ("own",)
    assert revealed(place.load(CONFIGURED, OPENAI_API_KEY=" standard\n"), "openai") == ("standard",)
    assert revealed(place.load(CONFIGURED), "openai") == ("here", "here2")
    here.unlink()
    assert revealed(place.load(CONFIGURED), "openai") == ("home",)
    (place.home / KEYS_FILE).unlink()
    assert revealed(place.load(CONFIGURED), "openai") == ()


def sealed(*keys: KeptKey) -> Callable[[Loaded], dict[str, tuple[KeptKey, ...]]]:
    """A vault with these keys of OpenAI."""
    return lambda loaded: {"openai": keys}


def in_vault(key: str, origin: str | None = "https://api.openai.com") -> KeptKey:
    return KeptKey(Secret(key), origin=origin)


def test_the_vault_comes_last(place: Place) -> None:
    home = place.write('{"openai": "home"}', f"home/{KEYS_FILE}")
    environment = {"ONEFLOW_HOME": "home"}
    vault = sealed(in_vault("v1"), in_vault("v2"))
    assert revealed(load(None, environment, place.directory, vault=vault), "openai") == ("home",)
    home.unlink()
    assert revealed(load(None, environment, place.directory, vault=vault), "openai") == ("v1", "v2")
    assert revealed(load(None, environment, place.directory), "openai") == ()


@pytest.mark.parametrize(
    ("origin", "has"),
    [
        ("https://api.openai.com", True),
        ("https://api.openai.com.evil.example", False),
        ("http://api.openai.com", False),
        ("https://api.openai.com:8443", False),
        (None, False),
    ],
)
def test_a_key_of_the_vault_goes_to_its_own_origin_alone(place: Place, origin: str | None, has: bool) -> None:
    """Threat 12: whoever changes a provider's address does not get its key sent there."""
    loaded = load(None, {"ONEFLOW_HOME": "home"}, place.directory, vault=sealed(in_vault("v", origin)))
    assert revealed(loaded, "openai") == (("v",) if has else ())


def test_a_key_is_not_used_from_its_end_on(place: Place) -> None:
    """A place whose keys have all ended counts as one without any."""
    place.write('{"openai": [{"key": "a", "ends": "2026-11-27T09:00:00Z"}]}', KEYS_FILE)
    place.write('{"openai": [{"key": "new"}, {"key": "old", "ends": "2026-11-28T09:00:00Z"}]}', f"home/{KEYS_FILE}")
    loaded = load(None, {"ONEFLOW_HOME": "home"}, place.directory, at=NOW - timedelta(seconds=1))
    assert revealed(loaded, "openai") == ("a",)
    assert revealed(replace(loaded, at=NOW), "openai") == ("new", "old")
    assert revealed(replace(loaded, at=NOW + timedelta(days=1)), "openai") == ("new",)


def test_every_place_with_keys_is_told_in_its_order(place: Place) -> None:
    here = place.write('{"openai": "here"}', KEYS_FILE)
    environment = {"ONEFLOW_HOME": "home", "OPENAI_API_KEY": "variable"}
    loaded = load(None, environment, place.directory, vault=sealed(in_vault("v")))
    found = [(each.sort, each.shown, len(each.keys)) for each in key_places(loaded, "openai")]
    assert found == [("variable", "OPENAI_API_KEY", 1), ("file", str(here), 1), ("vault", "vault", 1)]


def test_a_plain_key_in_a_file_is_as_old_as_the_file_at_least(place: Place) -> None:
    path = place.write('{"openai": "here"}', KEYS_FILE)
    os.utime(path, (0, (NOW - timedelta(days=90)).timestamp()))
    (key,) = kept_keys(place.load(), "openai")
    assert key.added_at == NOW - timedelta(days=90)


def test_a_vault_that_cannot_be_opened_keeps_the_configuration_from_being_used(place: Place) -> None:
    """Else a gateway would take itself for one without keys, and simulate."""
    mistake = Mistake("the vault", "", "was sealed with another server secret")

    def refuse(loaded: Loaded) -> dict[str, tuple[KeptKey, ...]]:
        raise SettingsError([mistake])

    with pytest.raises(SettingsError) as told:
        load(None, {"ONEFLOW_HOME": "home"}, place.directory, vault=refuse)
    assert told.value.mistakes == (mistake,)


def test_a_key_that_is_too_long_is_told(place: Place) -> None:
    (mistake,) = place.mistakes("[providers.openai]", OPENAI_API_KEY="a" * 4_097)
    assert mistake.message == "OPENAI_API_KEY is longer than 4096 characters"


def test_several_keys_keep_their_order_and_lose_repeats(place: Place) -> None:
    text = '[providers.openai]\napi_keys = ["env:B", "env:A", "env:UNSET", "env:C"]'
    assert revealed(place.load(text, A="1", B="2", C="2"), "openai") == ("2", "1")


# A provider's table, the variable that is set, whether the provider may have what it says.
BOUND = [
    ("[providers.openai]", "OPENAI_API_KEY", True),
    ('[providers.openai]\nbase_url = "https://API.openai.com/v1/"', "OPENAI_API_KEY", True),
    ('[providers.openai]\nbase_url = "https://api.openai.com.evil.example/v1"', "OPENAI_API_KEY", False),
    ('[providers.openai]\nbase_url = "http://api.openai.com/v1"', "OPENAI_API_KEY", False),
    ('[providers.openai]\nbase_url = "https://api.openai.com:8443/v1"', "OPENAI_API_KEY", False),
    ('[providers.openai]\nkind = "ollama"', "OPENAI_API_KEY", False),
    ('[providers.second]\nkind = "openai"', "OPENAI_API_KEY", True),
    ("[providers.groq]", "GROQ_API_KEY", True),
    ('[providers.azure]\nbase_url = "https://r.openai.azure.com"', "AZURE_OPENAI_API_KEY", True),
    ('[providers.other]\nkind = "azure"\nbase_url = "https://s.openai.azure.com"', "AZURE_OPENAI_API_KEY", False),
]


@pytest.mark.parametrize(("text", "variable", "has"), BOUND)
def test_a_kinds_variable_is_for_its_own_address(place: Place, text: str, variable: str, has: bool) -> None:
    name = text.partition("]")[0].removeprefix("[providers.")
    assert revealed(place.load(text, **{variable: "k"}), name) == (("k",) if has else ())


@pytest.mark.parametrize("text", ["[]", '{"openai": 1}', '{"openai": ["a", 1]}', "{", "[" * 100_000])
def test_a_file_of_keys_that_is_none_is_told(place: Place, text: str) -> None:
    place.write(text[:60_000], KEYS_FILE)
    (mistake,) = place.mistakes()
    assert (mistake.where, mistake.message) == (KEYS_FILE, FORM)


def test_a_key_that_no_header_can_carry_is_told(place: Place) -> None:
    (mistake,) = place.mistakes("[providers.openai]", OPENAI_API_KEY="a\r\nb")
    assert mistake.message == "OPENAI_API_KEY holds characters that no HTTP header can carry"


@pytest.mark.parametrize("place_of", ["setting", "variable", "file"])
def test_a_key_with_a_space_inside_is_told_and_one_around_it_is_left_out(place: Place, place_of: str) -> None:
    for key, told in ((" sk-1\t\n", []), ("sk-1 sk-2", [True])):
        text, variables = "[providers.openai]\n", {"OPENAI_API_KEY": key}
        if place_of == "setting":
            text, variables = text + 'api_key = "env:KEY"', {"KEY": key}
        elif place_of == "file":
            variables = {}
            place.write(json.dumps({"openai": key}), KEYS_FILE)
        found = place.mistakes(text, **variables)
        assert ["has a space inside, which no key has: copy it anew" in str(each) for each in found] == told
        if not told:
            assert revealed(place.load(text, **variables), "openai") == ("sk-1",)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("AKIAEXAMPLE1", "is an access key's id alone"),
        (":", "is neither an API key nor ACCESS_KEY_ID:SECRET_ACCESS_KEY"),
        ("AKIAEXAMPLE1:", "is neither an API key nor"),
        ("AKIAEXAMPLE1:secret:token:more", "is neither an API key nor"),
    ],
)
def test_a_key_pair_that_is_none_is_told(place: Place, key: str, message: str) -> None:
    place.write('[providers.bedrock]\napi_key = "env:KEYS"')
    with pytest.raises(SettingsError) as refused:
        load(None, {"ONEFLOW_HOME": "home", "KEYS": key}, place.directory, kinds=TABLE)
    (mistake,) = refused.value.mistakes
    assert mistake.where == "oneflow.toml:2"
    assert mistake.message.startswith(f"the key of bedrock {message}")
    assert "secret" not in mistake.message


def test_headers_follow_their_references(place: Place) -> None:
    headers = {"x-a": "1", "x-token": "env:T", "x-key": "env:UNSET", "x-vaulted": "vault:openai"}
    loaded = replace(
        place.load(T="t words"), vault={"openai": (KeptKey(Secret("v"), origin="https://api.openai.com"),)}
    )
    own = configured_providers(loaded)["openai"]
    assert resolve_headers(loaded, headers, own) == (("x-a", "1"), ("x-token", "t words"), ("x-vaulted", "v"))
    other = configured_providers(loaded)["anthropic"]
    assert resolve_headers(loaded, headers, other) == (("x-a", "1"), ("x-token", "t words"))


@pytest.mark.parametrize(("length", "refused"), [(31, True), (32, False)])
def test_the_servers_secret_has_32_bytes(place: Place, length: int, refused: bool) -> None:
    place.write("a" * length + "\n", "home/secret.key")
    assert [each.message for each in place.mistakes()] == ["file:secret.key is shorter than 32 bytes"] * refused


CANARY = "canary-1f0e"

# Where people put secrets, rightly or wrongly; `*` is the secret.
SPOTS = [
    '[providers.openai]\napi_key = "*"',
    '[providers.openai]\napi_key = "vault:sk-proj-*"',
    '[providers.openai]\napi_key = "vault:Bearer *"',
    '[providers.openai]\napi_key = "Bearer *"',
    '[providers.openai]\napi_keys = ["env:CANARY", "*"]',
    '[providers.openai]\napikey = "*"',
    '[providers.openai]\nbase_url = "https://*@h/v1"',
    '[providers.openai]\nbase_url = "https://h/v1?key=*"',
    '[providers.openai]\nproxy = "http://u:*@h"',
    '[providers.openai]\nproxy = "env:CANARY"',
    '[providers.openai.headers]\nauthorization = "*"',
    '[providers.openai.headers]\nx-token = "*"',
    '[providers.openai.headers]\nx-a = "*"',
    '[providers.openai.headers]\nx-a = "env:CANARY"',
    '[providers.openai]\norganization = ["*"]',
    '[[routes.text.targets]]\ntarget = "openai/a"\nheaders = { x-a = "*" }',
    '[server]\nsecret = "*"',
    '[server]\nsecret = "env:CANARY"',
    '[server]\nlog_level = "*"',
    '[database]\nurl = "postgresql://u:*@h/d"',
    '[state]\nurl = "redis://:*@h"',
    '[prices."openai/a"]\nusd_per_image = "*"',
    "[providers.openai]\napi_key = *",
]


@pytest.mark.parametrize("spot", SPOTS)
def test_no_secret_shows(place: Place, spot: str) -> None:
    """Not in a mistake, a warning, a value that prints, what is shown, or the schema: whatever holds it."""
    place.write(json.dumps({"anthropic": CANARY, "stability": [CANARY]}), KEYS_FILE)
    told: list[Any] = [json_schema()]
    try:
        loaded = place.load(spot.replace("*", CANARY), CANARY=CANARY, ELEVENLABS_API_KEY=CANARY)
    except SettingsError as error:
        told += [error, error.mistakes, error.__cause__, error.__context__]
    else:
        told += [
            loaded,
            loaded.warnings,
            show(loaded),
            credentials(loaded, "anthropic"),
            kept_keys(loaded, "anthropic"),
            list(key_places(loaded, "anthropic")),
            replace(loaded, vault={"openai": (KeptKey(Secret(CANARY)),)}),
        ]
    assert CANARY not in "".join(f"{each!r} {each}" for each in told)


def test_no_secret_shows_where_the_models_are_made_by_hand() -> None:
    with pytest.raises(ValidationError) as told:
        ProviderSettings(kind="openai", api_key=CANARY)
    assert CANARY not in str(told.value)
