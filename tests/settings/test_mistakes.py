"""Every mistake is told with its line, its name and what to do, and all of them at once."""

import pytest

from oneflow_ai.settings import Mistake
from tests.settings.place import Place

REFERENCE = "a secret is a reference, never a literal"

# What is written, the line and the name of the one mistake in it, and what its message begins with.
MISTAKES = [
    ("[server]\nprot = 1", 2, "server.prot", "unknown key; did you mean port?"),
    ("[server]\nattempts = 1", 2, "server.attempts", "unknown key; attempts belongs in [retry]"),
    ("[server]\nzzz = 1", 2, "server.zzz", "unknown key; known are host, port,"),
    ("port = 1", 1, "port", "unknown section; known are server,"),
    ("[sever]", 1, "sever", "unknown section; did you mean server?"),
    ("server = 1", 1, "server", "must be a table"),
    ('[server]\nport = "8000"', 2, "server.port", "must be a whole number"),
    ("[server]\nport = 80.5", 2, "server.port", "must be a whole number"),
    ("[server]\nport = 65536", 2, "server.port", "must be at most 65535"),
    ("[server]\nport = -1", 2, "server.port", "must be at least 0"),
    ("[server]\nhost = 3", 2, "server.host", "must be text in quotes"),
    ('[server]\nhost = "http://a"', 2, "server.host", "must be a host name or an IP address alone"),
    ('[server]\nhost = "0.0.0.0"\nauth = "none"', 3, "server.auth", "none is for a loopback address only"),
    ('[server]\nauth = "non"', 2, "server.auth", "must be keys or none; did you mean none?"),
    ('[server]\nengine = "hypercorn"', 2, "server.engine", "must be uvicorn or granian"),
    ('[server]\nhosts = "a"', 2, "server.hosts", "must be a list"),
    ('[server]\nhosts = [\n"a",\n"b:80"]', 2, "server.hosts[1]", "must be a host name or an IP address alone"),
    ("[server]\nhead_seconds = 0", 2, "server.head_seconds", "must be more than 0"),
    ("[server]\nhead_seconds = inf", 2, "server.head_seconds", "must be a finite number"),
    ("[server]\nhead_seconds = true", 2, "server.head_seconds", "must be a number"),
    ("[server]\nworkers = 0", 2, "server.workers", "must be at least 1"),
    ("[server]\nworkers = 2", 2, "server.workers", "this version runs one process: write 1, or leave it out"),
    ("[server]\nbody_bytes_most = 1", 2, "server.body_bytes_most", "must be at least 1024"),
    ('[server]\nsecret = "hunter2"', 2, "server.secret", REFERENCE),
    ('[server]\nsecret = "env:UNSET"', 2, "server.secret", "env:UNSET is not set"),
    ('[database]\nurl = "postgresql://h/d"', 2, "database.url", "postgresql is not supported by this version"),
    ('[database]\nurl = "sqlite://"', 2, "database.url", "must be a file, sqlite:///NAME.db"),
    ('[database]\nurl = "sqlite:///:memory:"', 2, "database.url", "must be a file, sqlite:///NAME.db"),
    ('[database]\nurl = "sqlite:///a.db?mode=ro"', 2, "database.url", "must be a file, sqlite:///NAME.db"),
    ('[state]\nurl = "redis://h"', 2, "state.url", "redis is not supported by this version"),
    ('[state]\nurl = "x"', 2, "state.url", "must be empty"),
    ('[providers.groq]\nregion = "evil.example/"', 2, "providers.groq.region", "must be a region such as us-east-1"),
    ('[providers.groq]\napi_key = "gsk_1"', 2, "providers.groq.api_key", REFERENCE),
    ('[providers.groq]\napi_key = "vault:a b"', 2, "providers.groq.api_key", "a reference to the vault is vault: and"),
    ('[providers.groq]\nproxy = "vault:groq"', 2, "providers.groq.proxy", "the vault has keys of providers alone"),
    ('[server]\nsecret = "vault:own"', 2, "server.secret", "the vault has keys of providers alone"),
    (
        '[providers.groq]\napi_key = "env: A"',
        2,
        "providers.groq.api_key",
        "a reference is env: and the name of a variable",
    ),
    ('[providers.groq]\napi_key = "file:gone"', 2, "providers.groq.api_key", "file:gone cannot be read: No such file"),
    ('[providers.groq]\napi_keys = [\n"env:A",\n"b"]', 2, "providers.groq.api_keys[1]", REFERENCE),
    (
        '[providers.groq]\napi_key = "env:A"\napi_keys = ["env:B"]',
        3,
        "providers.groq.api_keys",
        "write api_key or api_keys",
    ),
    ("[providers.opnai]", 1, "providers.opnai.kind", "unknown kind; did you mean openai?"),
    ('[providers.x]\nkind = "zzzzzz"', 2, "providers.x.kind", "unknown kind; known are anthropic, azure,"),
    ("[providers.azure]", 1, "providers.azure.base_url", "is required: azure has no address of its own"),
    ('[providers."a b"]\nkind = "groq"', 1, 'providers."a b"', "a provider's name is letters"),
    ('[providers.groq]\nbase_url = "ftp://h"', 2, "providers.groq.base_url", "must be an http:// or https:// address"),
    ('[providers.groq]\nbase_url = "https://"', 2, "providers.groq.base_url", "must be an http:// or https:// address"),
    (
        '[providers.groq]\nbase_url = "https://h:99999"',
        2,
        "providers.groq.base_url",
        "must be an http:// or https:// address",
    ),
    ('[providers.groq]\nbase_url = "https://a@h"', 2, "providers.groq.base_url", "an address carries no user name"),
    ('[providers.groq]\nbase_url = "https://h/v1?a=b"', 2, "providers.groq.base_url", "an address carries no query"),
    ('[providers.groq]\nproxy = "http://a:b@h"', 2, "providers.groq.proxy", "an address with a password is a secret"),
    ('[providers.groq]\nproxy = "env:UNSET"', 2, "providers.groq.proxy", "env:UNSET is not set"),
    (
        '[providers.groq]\nbase_url = "https://[::1"',
        2,
        "providers.groq.base_url",
        "must be an http:// or https:// address",
    ),
    (
        '[providers.groq]\nbase_url = "https://a b"',
        2,
        "providers.groq.base_url",
        "must be an http:// or https:// address",
    ),
    ('[providers.groq]\nproxy = "env:HOME"', 2, "providers.groq.proxy", "env:HOME is no http:// or https:// address"),
    ('[providers.groq]\nca_file = ""', 2, "providers.groq.ca_file", "must be a file's path"),
    ('[providers.groq]\nca_file = "gone.pem"', 2, "providers.groq.ca_file", "is not a file"),
    *(
        (f"[providers.groq]\n{name} = false", 2, f"providers.groq.{name}", "unknown")
        for name in ("verify", "ssl_verify", "verify_tls", "insecure", "check_certificates")
    ),
    ("[providers.groq]\nconcurrency = -1", 2, "providers.groq.concurrency", "must be at least 0"),
    ('[providers.groq]\nmodels = ["a b"]', 2, "providers.groq.models[0]", "must be printable ASCII without spaces"),
    ('[providers.groq.headers]\nHost = "h"', 1, "providers.groq.headers", "host belongs to the connection"),
    (
        '[providers.groq.headers]\nAuthorization = "x"',
        1,
        "providers.groq.headers",
        "authorization is not set here: use api_key",
    ),
    (
        '[providers.groq.headers]\nxi-api-key = "x"',
        1,
        "providers.groq.headers",
        "xi-api-key is not set here: use api_key",
    ),
    ('[providers.groq.headers]\nx-token = "x"', 1, "providers.groq.headers", f"x-token: {REFERENCE}"),
    ('[providers.groq.headers]\nx-a = "b\\r\\nc"', 1, "providers.groq.headers", "x-a: a header's value is printable"),
    ('[providers.groq.headers]\n"x a" = "b"', 1, "providers.groq.headers", "a header's name is letters"),
    ('[providers.groq.headers]\nx-a = "b"\nX-A = "c"', 1, "providers.groq.headers", "has a header twice"),
    ('[providers.groq.headers]\nx-a = "file:gone"', 1, "providers.groq.headers", "file:gone cannot be read"),
    (
        "[providers.groq.headers]\n" + "\n".join(f'x-{number} = "a"' for number in range(33)),
        1,
        "providers.groq.headers",
        "has more than 32 headers",
    ),
    ("[providers.groq.headers]\nx-a = 3", 2, "providers.groq.headers.x-a", "must be text in quotes"),
    ('[providers.groq.voices]\na = "b c"', 2, "providers.groq.voices.a", "must be printable ASCII without spaces"),
    ('[providers.groq.voices]\na = "b"\nA = "c"', 1, "providers.groq.voices", "has a voice twice"),
    ('[providers.groq.voices]\n"" = "b"', 1, "providers.groq.voices", "the name of a voice has 1 to 64 characters"),
    (
        "[providers.groq.voices]\n" + "\n".join(f'v{number} = "a"' for number in range(1_001)),
        1,
        "providers.groq.voices",
        "has more than 1000 voices",
    ),
    (
        "[providers.groq]\nusd_per_million_credits = -1",
        2,
        "providers.groq.usd_per_million_credits",
        "must be at least 0",
    ),
    ("[routes.fast]", 1, "routes.fast.task", "is required"),
    ('[routes.text]\ntask = "image"', 2, "routes.text.task", "must be text: the route text always gives that"),
    ('[routes.text]\ntask = "txt"', 2, "routes.text.task", "must be text, image,"),
    (
        '[routes.text]\nstrategy = "split"',
        2,
        "routes.text.strategy",
        "must be order, weighted, best, cheapest or fastest",
    ),
    ("[routes.text]\ncontinue_cut = 1", 2, "routes.text.continue_cut", "must be true or false"),
    ("[routes.image]\ncontinue_cut = true", 2, "routes.image.continue_cut", "is for routes of text"),
    ('[routes.text]\nsimulate_last = "yes"', 2, "routes.text.simulate_last", "must be true or false"),
    (
        '[routes.text]\ntargets = ["groq/a"]',
        2,
        "routes.text.targets[0]",
        "groq is not configured: add [providers.groq]",
    ),
    ('[routes.text]\ntargets = ["openai"]', 2, "routes.text.targets[0]", "names no model: write openai/MODEL"),
    ("[routes.text]\ntargets = [3]", 2, "routes.text.targets[0]", 'must be "provider/model", or a table'),
    ("[[routes.text.targets]]\nweight = 2", 1, "routes.text.targets[0].target", "is required"),
    (
        '[[routes.text.targets]]\ntarget = "a"\n[[routes.text.targets]]\ntarget = "b"\nwieght = 2',
        5,
        "routes.text.targets[1].wieght",
        "unknown key; did you mean weight?",
    ),
    ('[routes.text]\ntargets = [{target = "a", weight = 0}]', 2, "routes.text.targets[0].weight", "must be at least 1"),
    ('[routes."a/b"]\ntask = "text"', 1, 'routes."a/b"', "a route's name is letters"),
    ("[retry]\nattempts = 11", 2, "retry.attempts", "must be at most 10"),
    ("[retry]\ndeadline_seconds = -1.5", 2, "retry.deadline_seconds", "must be more than 0"),
    ('[retry]\nunsafe = "no"', 2, "retry.unsafe", "must be true or false"),
    ("[limits]\nconcurrency = -1", 2, "limits.concurrency", "must be at least 0"),
    (
        '[prices."openai/x"]\ninput_usd_per_milion_tokens = 1',
        2,
        'prices."openai/x".input_usd_per_milion_tokens',
        "unknown price; did you mean input_usd_per_million_tokens?",
    ),
    ('[prices."openai/x"]\nusd_per_image = "1"', 2, 'prices."openai/x".usd_per_image', "must be a number"),
    ('[prices."openai/x"]\nusd_per_image = -1', 1, 'prices."openai/x"', "usd_per_image: -1"),
    ('[prices."openai/x"]', 1, 'prices."openai/x"', "a price table sets at least one price"),
    (
        '[prices."opnai/x"]\nusd_per_image = 1',
        1,
        'prices."opnai/x"',
        "a price is for PROVIDER/MODEL of a configured provider; did",
    ),
    ("[history]\nretention_days = 0", 2, "history.retention_days", "must be at least 1"),
]


@pytest.mark.parametrize(("text", "line", "name", "message"), MISTAKES)
def test_a_mistake_is_told_with_line_name_and_remedy(
    place: Place, text: str, line: int, name: str, message: str
) -> None:
    (mistake,) = place.mistakes(text, HOME="here")
    assert (mistake.where, mistake.name) == (f"oneflow.toml:{line}", name)
    assert mistake.message.startswith(message)


BROKEN = [
    ("[server]\nport = \n", "oneflow.toml:2:8", "is not TOML: invalid value"),
    ("[server]\nport = 1\nport = 2\n", "oneflow.toml:3:9", "is not TOML: cannot overwrite a value"),
    ('[server]\n\nhost = """\n', "oneflow.toml:3", "is not TOML: unterminated string"),
    ("a = " + "[" * 5000, "oneflow.toml", "is nested too deeply"),
    ("#" * (1 << 20) + "\n", "oneflow.toml", "is longer than 1048576 bytes"),
]


@pytest.mark.parametrize(("text", "where", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_what_is_no_toml_is_told_with_line_and_column(place: Place, text: str, where: str, message: str) -> None:
    assert place.mistakes(text) == [Mistake(where, "", message)]


def test_a_file_that_is_not_utf8_is_told_with_its_line(place: Place) -> None:
    place.write("").write_bytes(b"# one\n# \xff\n")
    assert place.mistakes() == [Mistake("oneflow.toml:2", "", "is not UTF-8 text")]


def test_a_byte_order_mark_is_no_mistake(place: Place) -> None:
    place.write("").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")
    assert place.load().settings.server.port == 1


def test_a_file_that_was_asked_for_must_exist(place: Place) -> None:
    (mistake,) = place.mistakes(ONEFLOW_CONFIG="gone.toml")
    assert mistake.message == "cannot be read: No such file or directory"
    assert mistake.where.endswith("gone.toml")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(place: Place) -> None:
    """What one mistake makes unknown is not held against the rest, and what can still be checked is."""
    text = """
[server]
port = "a"
auth = "none"
host = "::"
[routes.fast]
targets = ["groq/x", { target = "y", wieght = 3 }]
strategy = "slowest"
[retyr]
"""
    mistakes = place.mistakes(text, ONEFLOW_RETRY__ATTEMPTS="0", ONEFLOW_RETRY__ATEMPTS="1")
    assert [(each.where, each.name) for each in mistakes] == [
        ("oneflow.toml:3", "server.port"),
        ("oneflow.toml:4", "server.auth"),
        ("oneflow.toml:6", "routes.fast.task"),
        ("oneflow.toml:7", "routes.fast.targets[0]"),
        ("oneflow.toml:7", "routes.fast.targets[1].wieght"),
        ("oneflow.toml:8", "routes.fast.strategy"),
        ("oneflow.toml:9", "retyr"),
        ("ONEFLOW_RETRY__ATEMPTS", "retry.atempts"),
        ("ONEFLOW_RETRY__ATTEMPTS", "retry.attempts"),
    ]


WARNINGS = [
    ('[providers.groq]\nbase_url = "http://gateway.lan"', "providers.groq.base_url", "keys and prompts go unencrypted"),
    ('[providers.groq]\napi_key = "env:UNSET"', "providers.groq.api_key", "no key is at hand"),
    (
        '[providers.ollama.headers]\nx-token = "env:UNSET"',
        "providers.ollama.headers",
        "env:UNSET is not set: x-token is left",
    ),
    (
        '[routes.text]\ntargets = ["opena/x"]',
        "routes.text.targets[0]",
        "there is no provider opena; did you mean openai/x?",
    ),
    (
        '[providers.ollama]\nmodels = ["a"]\n[routes.text]\ntargets = ["ollama/b"]',
        "routes.text.targets[0]",
        "the models of ollama do not list it",
    ),
]


@pytest.mark.parametrize(("text", "name", "message"), WARNINGS)
def test_what_may_be_meant_is_warned_of_and_loads(place: Place, text: str, name: str, message: str) -> None:
    found = [each for each in place.load(text).warnings if each.name == name and each.message.startswith(message)]
    assert len(found) == 1


RIGHT = [
    '[providers.ollama]\nproxy = "http://proxy.lan:3128"',
    '[providers.ollama]\nbase_url = "http://[::1]:11434/v1"',
    '[providers.ollama]\nmodels = ["opena/x"]\n[routes.text]\ntargets = ["opena/x", "ollama/opena/x"]',
    '[providers.ollama.headers]\nx-author = "Jules Verne"\nHTTP-Referer = "https://example.org/?a=b"',
    '[server]\nauth = "none"\nhosts = ["Gateway.LAN", "[::1]", "10.0.0.1"]',
    '[state]\nurl = ""\n[server]\nworkers = 1',
    '[prices."*"]\nusd_per_request = 0',
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_neither_refused_nor_warned_of(place: Place, text: str) -> None:
    assert place.load(text).warnings == ()
