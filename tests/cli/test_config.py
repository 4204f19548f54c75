"""`oneflow config`: checked as a server would, shown without a secret, described, and read anew by the server."""

from __future__ import annotations

import asyncio
import json

import jsonschema
import pytest

from oneflow_ai.cli.pid_file import PidFile
from oneflow_ai.cli.remote import remote_of
from oneflow_ai.settings import load
from tests.cli.place import Place, lines, serving


def test_every_mistake_is_a_line_with_its_place(place: Place) -> None:
    place.write('[server]\nport = 70000\n\n[providers.opnai]\napi_key = "sk-abcdef"\n')
    result = place.run("config", "check")
    assert result.exit_code == 2
    assert [line.partition(": ")[0] for line in lines(result.stderr)] == [
        "oneflow.toml:2",
        "oneflow.toml:4",
        "oneflow.toml:5",
    ]
    assert "sk-abcdef" not in result.output
    told = place.run("config", "check", "--json")
    assert (told.exit_code, told.stderr) == (2, "")
    mistakes = json.loads(told.stdout)["mistakes"]
    assert [f"{one['where']}: {one['name']}: {one['message']}" for one in mistakes] == lines(result.stderr)


def test_a_route_that_leads_nowhere_is_found_with_its_place(place: Place) -> None:
    """`check` accepts only what a server starts with."""
    place.write('[server]\nport = 9000\n\n[routes.text]\ntargets = ["no-such-model"]\n')
    result = place.run("config", "check")
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow.toml:4: route text: target no-such-model: ")


@pytest.mark.parametrize("command", [("config", "check"), ("serve", "--port", "0")])
def test_more_than_one_process_is_refused_rather_than_ignored(place: Place, command: tuple[str, ...]) -> None:
    place.write("[server]\nworkers = 2\n")
    result = place.run(*command)
    assert result.exit_code == 2
    assert lines(result.stderr) == [
        "oneflow.toml:2: server.workers: this version runs one process: write 1, or leave it out"
    ]


def test_a_sound_configuration_is_said_to_be_so(place: Place) -> None:
    nothing = place.run("config", "check")
    assert (nothing.exit_code, nothing.stdout) == (
        0,
        "no configuration file: the defaults and variables are sound\n",
    )
    place.write('[providers.groq]\napi_key = "env:NOT_SET"\n')
    warned = place.run("config", "check")
    assert warned.exit_code == 0
    warning, verdict = lines(warned.stdout)
    assert warning.startswith("warning: oneflow.toml:2: providers.groq.api_key: no key is at hand")
    assert verdict.endswith("oneflow.toml: no mistakes")
    told = place.json("config", "check")
    assert (told["ok"], told["mistakes"], len(told["warnings"])) == (True, [], 1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("server.prt", "did you mean server.port?"), ("srver", "did you mean server?"), ("zzz", "prints all")],
)
def test_show_of_a_name_that_no_setting_has_tells_what_may_be_meant(place: Place, text: str, hint: str) -> None:
    result = place.run("config", "show", text)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = lines(result.stderr)
    assert line.startswith(f"oneflow config show: no setting has '{text}' in its name")
    assert hint in line


def test_a_key_that_no_provider_uses_is_warned_of(place: Place) -> None:
    told = place.run("config", "check", MISTRAL_API_KEY="sk-of-mistral")
    warning, _ = lines(told.stdout)
    assert warning == "warning: MISTRAL_API_KEY: is not used: write [providers.mistral] into oneflow.toml"
    place.write("[providers.mistral]\n")
    assert len(lines(place.run("config", "check", MISTRAL_API_KEY="sk-of-mistral").stdout)) == 1
    place.write(
        '[providers.own]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "env:MISTRAL_API_KEY"\n'
    )
    assert len(lines(place.run("config", "check", MISTRAL_API_KEY="sk-of-mistral").stdout)) == 1


def test_show_tells_each_value_and_where_it_comes_from(place: Place) -> None:
    place.write("[server]\nport = 9000\n")
    told = place.json("config", "show", ONEFLOW_RETRY__ATTEMPTS="2")
    assert told["home"] == str(place.home)
    rows = {row["name"]: (row["value"], row["source"]) for row in told["settings"]}
    assert rows["server.port"] == (9000, "oneflow.toml:2")
    assert rows["retry.attempts"] == (2, "ONEFLOW_RETRY__ATTEMPTS")
    assert rows["server.host"] == ("127.0.0.1", "default")
    head, *some = lines(place.run("config", "show", "server.p").stdout)
    assert head.split() == ["setting", "from", "value"]
    assert [row.split() for row in some] == [["server.port", "oneflow.toml:2", "9000"]]


def test_the_schema_accepts_what_the_program_accepts(place: Place) -> None:
    schema = place.json("config", "schema")
    jsonschema.validate({"server": {"port": 9000}}, schema)
    assert [error.validator for error in jsonschema.Draft202012Validator(schema).iter_errors({"sever": {}})] == [
        "additionalProperties"
    ]


def test_reload_without_a_server_says_so(place: Place) -> None:
    result = place.run("config", "reload")
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow config reload: no server runs with the home ")


def test_reload_is_taken_up_and_a_mistake_never_reaches_the_server(place: Place) -> None:
    place.write("[limits]\nrequests_per_minute = 1000\n")
    with serving(place, "--demo") as announced:
        limit = "limits.requests_per_minute"
        place.write("[limits]\nrequests_per_minute = 2000\n")
        told = place.json("config", "reload")
        assert (told["pid"], told["url"]) == (announced["pid"], announced["url"])
        assert _in_force(place, announced["url"], limit, 2000)
        place.write("[limits]\nrequests_per_minute = -1\n")
        refused = place.run("config", "reload")
        assert refused.exit_code == 2
        assert lines(refused.stderr) == ["oneflow.toml:2: limits.requests_per_minute: must be at least 0"]
        place.write("[limits]\nrequests_per_minute = 3000\n")
        assert place.run("config", "reload").exit_code == 0
        assert _in_force(place, announced["url"], limit, 3000)
        assert PidFile(place.home).holder() is not None
    assert PidFile(place.home).holder() is None
    assert not PidFile(place.home).path.exists()


def test_reload_checks_the_file_that_the_server_reads(place: Place) -> None:
    (place.directory / "there").mkdir()
    own = place.write("[limits]\nrequests_per_minute = 1000\n", "there/oneflow.toml")
    with serving(place, "--demo", "--config", "there/oneflow.toml") as announced:
        place.write("[limits]\nrequests_per_minute = -1\n")
        place.write("[limits]\nrequests_per_minute = 2000\n", "there/oneflow.toml")
        for name in ((), ("--config", "there/../there/oneflow.toml")):
            told = place.run("config", "reload", *name)
            assert (told.exit_code, told.stderr) == (0, "")
            assert f"to read {own} anew" in told.stdout
        assert _in_force(place, announced["url"], "limits.requests_per_minute", 2000)
        place.write("[limits]\nrequests_per_minute = -2\n", "there/oneflow.toml")
        refused = place.run("config", "reload")
        assert refused.exit_code == 2
        assert lines(refused.stderr) == [f"{own}:2: limits.requests_per_minute: must be at least 0"]


def test_reload_refuses_a_file_that_the_server_does_not_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = place.write("", "own.toml"), place.write("", "other.toml")
    with serving(place, "--demo", "--config", "own.toml") as announced:
        refused = place.run("config", "reload", "--config", "other.toml")
        assert refused.exit_code == 2
        words = f"the server at {announced['url']} reads {own}, not {other}: leave --config out, or start it anew"
        assert lines(refused.stderr) == [f"oneflow config reload: {words} with that file"]
    with serving(place, "--demo"):
        refused = place.run("config", "reload", "--config", "other.toml")
        assert f"reads no configuration file, not {other}: " in refused.stderr
        (place.directory / "elsewhere").mkdir()
        place.write("[server]\nport = -1\n", "elsewhere/oneflow.toml")
        monkeypatch.chdir(place.directory / "elsewhere")
        told = place.run("config", "reload")
        assert told.exit_code == 0
        assert "to look for its configuration anew" in told.stdout


def _in_force(place: Place, url: str, setting: str, value: int) -> bool:
    """Whether the server comes to tell this value; it is asked anew until it does, a bounded number of times."""
    remote = remote_of(url, load(None, place.environment, place.home))
    assert remote is not None
    for _ in range(500):
        rows = {row["name"]: row["value"] for row in asyncio.run(remote.get("/api/config"))["settings"]}
        if rows[setting] == value:
            return True
    return False
