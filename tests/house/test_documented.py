"""The collectors find every name, and a name that is only part of another word does not count as documented."""

import pytest
import typer
from pydantic import BaseModel, Field

from tests.house.documented import fields, routes, undocumented, verbs
from tests.house.source import module


class Provider(BaseModel):
    """A table the user names."""

    base_url: str = ""
    api_keys: list[str] = []


class Sample(BaseModel):
    """Settings of every shape."""

    port: int = Field(8000, alias="listen")
    server: Provider | None = None
    providers: dict[str, Provider] = {}


def test_settings_are_found_at_any_depth() -> None:
    assert set(fields(Sample)) == {
        "listen",
        "server.base_url",
        "server.api_keys",
        "providers.NAME.base_url",
        "providers.NAME.api_keys",
    }


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("@app.get('/api/status')\nasync def status(): pass", ["/api/status"]),
        ("a = APIRouter(prefix='/api/keys')\n@a.post('/{id}/rotate')\ndef rotate(): pass", ["/api/keys/{id}/rotate"]),
        ("app.add_api_route('/health', health, methods=['GET'])", ["/health"]),
        ("rows.get('name')", []),
    ],
)
def test_routes_are_found_where_they_are_written(text: str, paths: list[str]) -> None:
    assert list(routes(module(text))) == paths


def test_verbs_are_found_at_any_depth() -> None:
    app, keys = typer.Typer(), typer.Typer()
    app.command("serve")(lambda: None)
    keys.command("list")(lambda: None)
    keys.command("old", hidden=True)(lambda: None)
    keys.command("set")(lambda: None)
    app.add_typer(keys, name="keys")
    assert set(verbs(typer.main.get_command(app), "oneflow")) == {
        "oneflow serve",
        "oneflow keys list",
        "oneflow keys set",
    }


def test_a_name_counts_only_as_code_and_as_a_whole_word() -> None:
    text = "`server.port` and `rate_limit_exceeded_often`, draining\n```sh\ncurl localhost/v1/models /v1/voices\n```\n"
    names = {"server.port", "port", "rate_limit_exceeded", "draining", "/v1/voices"}
    assert undocumented(names, text) == ["draining", "port", "rate_limit_exceeded"]
