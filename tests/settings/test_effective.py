"""What a configuration comes to: providers, routes, files, demo mode, and on which addresses it may be open."""

import pytest

from oneflow_ai.core.call import Task
from oneflow_ai.settings import (
    ProviderSettings,
    at_own_address,
    configured_providers,
    configured_routes,
    database_path,
    demo,
    is_loopback,
)
from tests.settings.place import Place

FOUR = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "stability": "https://api.stability.ai",
    "elevenlabs": "https://api.elevenlabs.io",
}


def test_four_providers_exist_without_configuration(place: Place) -> None:
    assert configured_providers(place.load()) == {
        name: ProviderSettings(kind=name, base_url=address) for name, address in FOUR.items()
    }


def test_configured_providers_come_first_with_their_kinds_address(place: Place) -> None:
    text = '[providers.groq]\n[providers.openai]\nbase_url = "https://h/v1/"\n[providers.eu]\nkind = "openai"'
    loaded = place.load(text)
    addresses = {name: provider.base_url for name, provider in configured_providers(loaded).items()}
    assert list(addresses.items())[:3] == [
        ("groq", "https://api.groq.com/openai/v1"),
        ("openai", "https://h/v1"),
        ("eu", FOUR["openai"]),
    ]
    assert set(addresses) == {"groq", "eu", *FOUR}
    assert [at_own_address(loaded, name) for name in ("groq", "openai", "eu", "anthropic")] == [True, False, True, True]


def test_variables_do_not_change_the_order_of_providers(place: Place) -> None:
    variables = {
        "ONEFLOW_PROVIDERS__ANTHROPIC__CONCURRENCY": "2",
        "ONEFLOW_PROVIDERS__AZURE__BASE_URL": "https://h",
        "ONEFLOW_PROVIDERS__OPENAI__CONCURRENCY": "2",
    }
    assert list(configured_providers(place.load(None, **variables))) == [*FOUR, "azure"]
    written = place.load("[providers.groq]\n[providers.stability]\n", **variables)
    assert list(configured_providers(written)) == ["groq", "stability", "openai", "anthropic", "elevenlabs", "azure"]


def test_every_task_has_a_route_with_the_default_chain(place: Place) -> None:
    routes = configured_routes(place.load('[routes.fast]\ntask = "text"\n[routes.image]\ntargets = ["openai/a"]'))
    assert {name: (route.task, [each.target for each in route.targets]) for name, route in routes.items()} == {
        **{task.value: (task, []) for task in Task},
        "image": (Task.IMAGE, ["openai/a"]),
        "fast": (Task.TEXT, []),
    }


@pytest.mark.parametrize(("url", "path"), [("sqlite:///a/b.db", "{home}/a/b.db"), ("sqlite:////srv/b.db", "/srv/b.db")])
def test_a_relative_database_lies_in_the_home(place: Place, url: str, path: str) -> None:
    loaded = place.load(None, ONEFLOW_DATABASE__URL=url)
    assert str(database_path(loaded)) == path.format(home=place.home)


ANYWHERE = "0.0.0.0"  # noqa: S104  nothing is bound to it here
LOOPBACK = ["127.0.0.1", "127.255.0.9", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]
OPEN = [
    ANYWHERE,
    "::",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "::ffff:10.0.0.1",
    "example.org",
    "127.1",
    "localhost.lan",
]


@pytest.mark.parametrize("host", LOOPBACK + OPEN)
@pytest.mark.parametrize("auth", ["keys", "none"])
def test_no_address_but_loopback_is_open_without_keys(place: Place, host: str, auth: str) -> None:
    """The start-up matrix: only `auth = "none"` off loopback is refused, in the file or by variables (threat 43)."""
    refused = auth == "none" and host in OPEN
    by_file = place.mistakes(f'[server]\nhost = "{host}"\nauth = "{auth}"')
    place.write("")
    by_variables = place.mistakes(None, ONEFLOW_SERVER__HOST=host, ONEFLOW_SERVER__AUTH=auth)
    assert [each.where for each in by_file + by_variables] == ["oneflow.toml:3", "ONEFLOW_SERVER__AUTH"] * refused
    assert is_loopback(host) == (host in LOOPBACK)


# flag, has credentials, a file exists, host, in process, demo mode
DEMO = [
    (False, False, False, "127.0.0.1", False, True),
    (False, True, False, "127.0.0.1", False, False),
    (False, False, True, "127.0.0.1", False, False),
    (False, False, False, ANYWHERE, False, False),
    (False, False, False, ANYWHERE, True, True),
    (False, True, False, ANYWHERE, True, False),
    (True, True, True, ANYWHERE, False, True),
]


@pytest.mark.parametrize(("flag", "has", "file", "host", "in_process", "expected"), DEMO)
def test_nothing_is_simulated_by_accident(
    place: Place, flag: bool, has: bool, file: bool, host: str, in_process: bool, expected: bool
) -> None:
    loaded = place.load("" if file else None, ONEFLOW_SERVER__HOST=host)
    assert demo(loaded, flag, has, in_process=in_process) is expected
