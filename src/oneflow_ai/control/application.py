"""The control plane put together: a FastAPI application behind its guard, each route with a declared role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from oneflow_ai.control import health, history, keys, money, pages, plain, providers, status
from oneflow_ai.control.access import Role, check_declared
from oneflow_ai.control.checking import ProviderChecks
from oneflow_ai.control.endpoint import Endpoint
from oneflow_ai.control.errors import add_handlers
from oneflow_ai.control.guard import Guard
from oneflow_ai.control.ports import ControlPorts
from oneflow_ai.control.shapes import Asked, ErrorAnswer, Shown
from oneflow_ai.core.version import VERSION

_NOUNS = (health, status, providers, history, keys, money, plain, pages)
_ABOUT = "What operators see and set. The data plane, under `/v1`, speaks the providers' own languages."
_KEY = "key"
# What FastAPI would answer to a mistake; here it is a 400 of the one shape.
_THEIRS = "422"


def control_plane(ports: ControlPorts) -> ASGIApp:
    """The control plane as an ASGI application; raises `LookupError` when a route declares no role."""
    return Guard(make_application(ports), ports.running)


def make_application(ports: ControlPorts) -> FastAPI:
    """The FastAPI application alone, without the guard around it."""
    application = ControlApplication(
        title="OneFlow",
        version=VERSION,
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses={"default": {"model": ErrorAnswer, "description": "A failure, in the one shape of all."}},
    )
    application.state.ports = ports
    application.state.checks = ProviderChecks()
    application.state.pages = pages.load_pages()
    application.state.description = pages.Description(application.openapi)
    application.router.route_class = Endpoint
    for noun in _NOUNS:
        noun.add_routes(application.router)
    check_declared(application.routes)
    add_handlers(application)
    return application


class ControlApplication(FastAPI):
    """FastAPI whose description tells the role that each endpoint needs."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI description, made at the first call."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema.setdefault("components", {})["securitySchemes"] = {
                _KEY: {"type": "http", "scheme": "bearer", "description": "An API key, `of_…`."}
            }
            for model in (*_below(Shown), *_below(Asked)):
                if model.__name__ in schema["components"]["schemas"]:
                    _exemplify(schema["components"]["schemas"][model.__name__], model)
            for route in self.routes:
                assert isinstance(route, Endpoint)
                for method in route.methods or ():
                    _tell(schema["paths"][route.path_format][method.lower()], route)
        assert self.openapi_schema is not None
        return self.openapi_schema


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def _exemplify(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put a model's examples in again: FastAPI has sorted their keys and left out what is null."""
    extra = model.model_config.get("json_schema_extra")
    if isinstance(extra, dict) and "examples" in extra:
        schema["examples"] = extra["examples"]


def _tell(operation: dict[str, Any], route: Endpoint) -> None:
    access = route.access
    operation["x-oneflow-role"] = access.role.value
    operation["responses"].pop(_THEIRS, None)
    if access.role is not Role.OPEN:
        operation["security"] = [{_KEY: []}, {}] if access.or_local else [{_KEY: []}]
