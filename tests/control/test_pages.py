"""The pages and the description of the API: whole, truthful, and loading nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import jsonschema
import pytest

from oneflow_ai.control.endpoint import Endpoint
from oneflow_ai.control.shapes import Shown
from tests.control.plane import HERE, Plane
from tests.control.test_access import ROLES, address, endpoints, role_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = re.compile(r"(?:https?:)?//[\w.-]+")
# Names, not addresses to load from: the namespace of SVG, and this machine in an example.
NAMES = {"http://www.w3.org", "http://127.0.0.1"}
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function")


class Loaded(HTMLParser):
    """What a page loads, and whether it holds script or style of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("style", "base", "iframe", "object", "embed") or any(name.startswith("on") for name in given):
            self.inline.append(tag)
        if tag == "script" and "src" not in given:
            self.inline.append(tag)
        if "style" in given:
            self.inline.append(f"{tag} style")
        if tag in ("script", "link", "img"):
            self.addresses.append(given.get("src") or given.get("href") or "")


@pytest.mark.parametrize("page", ["/", "/api/docs"])
async def test_a_page_loads_only_what_is_served_here(plane: Plane, page: str) -> None:
    reply = await plane.get(page, key=None)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    loaded = Loaded()
    loaded.feed(reply.body.decode())
    assert loaded.inline == []
    assert loaded.addresses
    for wanted in loaded.addresses:
        found = await plane.get(wanted, key=None)
        assert found.status == 200, wanted
        text = found.body.decode()
        assert set(ELSEWHERE.findall(text)) <= NAMES
        assert not MARKUP.search(text)


async def test_open_pages_tell_nothing_of_this_server(plane: Plane) -> None:
    for page in ("/", "/api/docs", "/api/docs/docs.js", "/api/docs/start.js"):
        body = (await plane.get(page, key=None)).body.decode()
        assert plane.key_id not in body
        assert "0.1.0" not in body


async def test_every_endpoint_is_described_with_its_role(plane: Plane) -> None:
    described = (await plane.get("/api/openapi.json", key=None, client=HERE)).json
    assert described["openapi"].startswith("3.1")
    assert described["paths"].keys() == ROLES.keys()
    for route in endpoints(plane):
        for method in route.methods or ():
            operation = described["paths"][route.path][method.lower()]
            assert operation["x-oneflow-role"] == role_of(route)
            assert operation["description"]
            assert "422" not in operation["responses"]
            assert operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith(
                "/ErrorAnswer"
            )
            assert ("security" in operation) is (route.access.role != "open")


def answers(plane: Plane) -> Iterator[tuple[str, Endpoint]]:
    for route in endpoints(plane):
        if "GET" in (route.methods or ()) and route.path not in ("/", "/api/docs", "/api/docs/{file}", "/metrics"):
            yield address(route), route


async def test_answers_are_as_they_are_described(plane: Plane) -> None:
    asked = (await plane.chat()).json["request_id"]
    await plane.runtime.recorder.close()
    described = (await plane.get("/api/openapi.json")).json
    for target, route in answers(plane):
        if route.path == "/api/openapi.json":
            continue
        reply = await plane.get(target.replace("{id}", asked))
        assert reply.status == 200, target
        media = described["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"]
        jsonschema.validate(reply.json, {**media["schema"], "components": described["components"]})


async def test_examples_are_as_they_are_described(plane: Plane) -> None:
    described = (await plane.get("/api/openapi.json")).json
    seen = 0
    for name, schema in described["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            jsonschema.validate(example, {**schema, "components": described["components"]})
            seen += 1
        if name.endswith("Asked"):
            assert schema["additionalProperties"] is False
    assert seen >= 12
    assert Shown.model_config["extra"] == "forbid"
