"""The pages: where to start, and the API made readable; shipped with the package, and nothing loaded from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response

from oneflow_ai.control.access import Role, needs
from oneflow_ai.core.failure import UNKNOWN_URL, Failure

_START = "start.html"
_DOCS = "docs.html"
_FOLDER = "static"
_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}


class Description:
    """The description of an API, made by `make` in another thread when it is first asked for: it takes a while."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._content: bytes | None = None

    async def content(self) -> bytes:
        """The description as JSON."""
        async with self._making:
            if self._content is None:
                self._content = await asyncio.to_thread(lambda: orjson.dumps(self._make()))
            return self._content


@dataclass(frozen=True, slots=True)
class Page:
    """One file of the pages, and its media type."""

    content: bytes
    media_type: str


def load_pages() -> Mapping[str, Page]:
    """Every file of the pages, by its name."""
    folder = files(__package__) / _FOLDER
    named = {each.name: each for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES}
    return {name: Page(each.read_bytes(), _TYPES[name.rpartition(".")[2]]) for name, each in named.items()}


@needs(Role.OPEN)
async def start(request: Request) -> Response:
    """The start page: what this is, and how to call it."""
    return _page(request, _START)


@needs(Role.OPEN)
async def docs(request: Request) -> Response:
    """This API, readable; the page asks for a key where one is needed."""
    return _page(request, _DOCS)


@needs(Role.OPEN)
async def page_file(request: Request, name: Annotated[str, Path(alias="file", max_length=64)]) -> Response:
    """A file that the pages load."""
    return _page(request, name)


@needs(Role.VIEWER, or_local=True)
async def openapi(request: Request) -> Response:
    """This API in the OpenAPI format."""
    description: Description = request.app.state.description
    return Response(await description.content(), media_type="application/json")


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/", tags=["pages"], responses=_HTML)(start)
    router.get("/api/docs", tags=["pages"], responses=_HTML)(docs)
    router.get("/api/docs/{file}", tags=["pages"])(page_file)
    router.get("/api/openapi.json", tags=["pages"])(openapi)


def _page(request: Request, name: str) -> Response:
    pages: Mapping[str, Page] = request.app.state.pages
    page = pages.get(name)
    if page is None:
        raise Failure(UNKNOWN_URL, "there is nothing at this address")
    return Response(page.content, media_type=page.media_type)
