"""Who may ask what: each endpoint declares its role beside its handler, and a request is let in by that alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import Request
from starlette.routing import BaseRoute

from oneflow_ai.control.ports import ControlPorts
from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import Failure
from oneflow_ai.settings import is_loopback

LOCAL = Account("local", "this machine")
_DECLARED = "oneflow_access"
_CREDENTIALS = ("authorization", "x-api-key", "xi-api-key", "x-goog-api-key")
# Set by proxies: a request that carries one comes from another machine, whatever its connection says.
_FORWARDED = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)
_FORWARDED_PREFIX = "x-forwarded"

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Role(StrEnum):
    """What a caller must be: `open` anyone; every other role is any valid key of this gateway."""

    OPEN = "open"
    VIEWER = "viewer"
    CALLER = "caller"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Access:
    """What one endpoint needs; `or_local` lets requests of this machine in without a key."""

    role: Role
    or_local: bool = False


def needs(role: Role, *, or_local: bool = False) -> Callable[[Handler], Handler]:
    """Declares the role that an endpoint's handler needs."""

    def declare(handler: Handler) -> Handler:
        setattr(handler, _DECLARED, Access(role, or_local))
        return handler

    return declare


def access_of(handler: Callable[..., Any]) -> Access:
    """The declared access of a handler; raises `LookupError` for one that declares none."""
    access = getattr(handler, _DECLARED, None)
    if not isinstance(access, Access):
        raise LookupError(f"the endpoint {handler.__module__}.{handler.__qualname__} declares no role")
    return access


def check_declared(routes: Iterable[BaseRoute]) -> None:
    """Refuse routes that are no endpoints of ours with a declared role; raises `LookupError`."""
    for route in routes:
        if not isinstance(getattr(route, "access", None), Access):
            raise LookupError(f"the route {getattr(route, 'path', route)} declares no role")


def let_in(access: Access, request: Request, ports: ControlPorts) -> Account | None:
    """The account that asks, None at an open endpoint; raises `Failure` for who may not."""
    if access.role is Role.OPEN:
        return None
    if access.or_local and is_local(request):
        return LOCAL
    try:
        return ports.account_of(dict(request.scope["headers"]), request.scope["query_string"])
    except Failure as failure:
        ports.running.metrics.refused(failure.code)
        raise


def is_local(request: Request) -> bool:
    """Whether a request without a key comes from this machine itself, and asks for it by a name of loopback.

    No web page can ask so from another origin, and no proxy that says whom it asks for, or passes a public name on.
    """
    headers = request.headers
    client = request.client
    if client is None or not is_loopback(client.host) or any(name in headers for name in _CREDENTIALS):
        return False
    if any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in headers):
        return False
    return _same_origin(headers) and _names_loopback(headers.get("host", ""))


def _same_origin(headers: Mapping[str, str]) -> bool:
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _names_loopback(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    return is_loopback(name if colon and port.isdecimal() else host)
