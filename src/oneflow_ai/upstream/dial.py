"""Opening a connection: name, TCP and TLS, each within its time limit, each failure told by its own word."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from oneflow_ai.core.failure import (
    OVERLOADED,
    UPSTREAM_CLOSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TLS_ERROR,
    UPSTREAM_UNREACHABLE,
    Failure,
)
from oneflow_ai.core.target import Timeouts
from oneflow_ai.upstream.address import Address
from oneflow_ai.upstream.alarm import in_time
from oneflow_ai.upstream.crowded import crowded
from oneflow_ai.upstream.resolve import addresses_of
from oneflow_ai.upstream.way import Way

# The loop's own limit of a TLS handshake would ring before what came is read: ours does not.
_NEVER_SECONDS = 3_600.0

_Line = TypeVar("_Line", bound=asyncio.Protocol)


async def dial(
    make: Callable[[], _Line],
    address: Address,
    way: Way,
    context: ssl.SSLContext | None,
    limits: Timeouts,
    until_seconds: float,
) -> _Line:
    """Give a connected protocol that `make` made, over TLS when there is a context; raises `Failure`.

    The name and the connection share `limits.connect_seconds`; TLS has `limits.tls_seconds` more. Certificates are
    checked by the context, against the host of the address.
    """
    loop = asyncio.get_running_loop()
    connected_by = min(until_seconds, loop.time() + limits.connect_seconds)
    left = max(0.0, connected_by - loop.time())
    places = await addresses_of(way.resolver, address.host, address.port, way.private, left)
    if loop.time() >= connected_by:
        # The name was found in time: it is this process that stood still.
        connected_by = min(until_seconds, loop.time() + limits.connect_seconds)
    try:
        line = await _connected(places, address, connected_by)
    except Failure as failure:
        if failure.kind is not OVERLOADED:
            # They may have moved away from all of them.
            way.resolver.doubt(address.host, address.port)
        raise
    agreed_by = until_seconds if context is None else min(until_seconds, loop.time() + limits.tls_seconds)
    try:
        async with in_time(agreed_by):
            _, protocol = await loop.create_connection(
                make,
                sock=line,
                ssl=context,
                server_hostname=address.host if context is not None else None,
                ssl_handshake_timeout=_NEVER_SECONDS if context is not None else None,
            )
    except TimeoutError:
        raise (untrusted if agreed_by < until_seconds else late)(address.host) from None
    except OSError as error:
        raise _broken(error, address) from None
    return protocol


def trust(way: Way) -> ssl.SSLContext:
    """What checks the certificates of a way's providers; raises `Failure` when its `ca_file` is of no use."""
    try:
        context = ssl.create_default_context(cafile=way.ca_file)
    except OSError as error:
        if (lack := crowded(error)) is not None:
            raise lack from None
        # The caller is told the file's name alone: folders of this machine are not for clients.
        name = (way.ca_file or "").replace("\\", "/").rpartition("/")[2]
        words = f"{name} holds no certificates that can be used: {error.strerror or type(error).__name__}"
        raise Failure(UPSTREAM_TLS_ERROR, words) from None
    file = ssl.get_default_verify_paths().cafile
    if file and not context.cert_store_stats()["x509"]:
        # OpenSSL tells nobody that it could not open the system's own, and would trust none from then on.
        try:
            context.load_verify_locations(file)
        except OSError as error:
            # Any other reason stays: there may be a folder of certificates beside the file.
            if (lack := crowded(error)) is not None:
                raise lack from None
    return context


def late(host: str) -> Failure:
    """A connection that was not accepted in time.

    Nothing was sent: it is as safe to try elsewhere as after a refusal, though it is told as a timeout.
    """
    words = f"{host} did not accept a connection in time"
    return Failure(UPSTREAM_UNREACHABLE, words, status=504, code=UPSTREAM_TIMEOUT.code)


def untrusted(host: str, error: BaseException | None = None) -> Failure:
    """A TLS connection that did not come about, or is not to be trusted."""
    words = f"no trusted TLS connection to {host}"
    if isinstance(error, ssl.SSLCertVerificationError):
        words += f": {error.verify_message.rstrip('.')}"
    return Failure(UPSTREAM_TLS_ERROR, words)


async def _connected(places: Sequence[str], address: Address, until_seconds: float) -> socket.socket:
    """A socket to the first place that accepts; each gets an even share of the time that is left."""
    loop = asyncio.get_running_loop()
    failure = Failure(UPSTREAM_UNREACHABLE, f"{address.host} could not be reached")
    for number, place in enumerate(places):
        share_seconds = max(0.0, until_seconds - loop.time()) / (len(places) - number)
        try:
            return await _socket(place, address.port, share_seconds)
        except TimeoutError:
            failure = late(address.host)
        except OSError as error:
            if (lack := crowded(error)) is not None:
                raise lack from None
            failure = Failure(UPSTREAM_UNREACHABLE, f"{address.host} could not be reached")
    raise failure


async def _socket(place: str, port: int, seconds: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    ((family, kind, protocol, _, where),) = socket.getaddrinfo(
        place, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )
    line = socket.socket(family, kind, protocol)
    try:
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with in_time(loop.time() + seconds):
            await _connect(loop, line, where)
    except BaseException:
        line.close()
        raise
    return line


async def _connect(loop: asyncio.AbstractEventLoop, line: socket.socket, where: Any) -> None:
    """Connect at once: uvloop would ask a thread for the address's name first, and stand still before it begins."""
    if sys.platform == "win32":
        # Its loop tells of no socket that it may be written to.
        await loop.sock_connect(line, where)
        return
    code = line.connect_ex(where)
    # What a signal interrupts goes on as well: connect(2), EINTR, 2026-11-28.
    if code in (errno.EINPROGRESS, errno.EINTR):
        done: asyncio.Future[None] = loop.create_future()
        loop.add_writer(line, _settle, done)
        try:
            await done
        finally:
            loop.remove_writer(line)
        code = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _broken(error: OSError, address: Address) -> Failure:
    if isinstance(error, ssl.SSLError):
        return untrusted(address.host, error)
    # TLS that is not answered is a reset connection to the loop.
    if isinstance(error, ConnectionError) and address.tls:
        return untrusted(address.host)
    if isinstance(error, ConnectionError):
        return Failure(UPSTREAM_CLOSED, f"{address.host} closed the connection at once")
    return Failure(UPSTREAM_UNREACHABLE, f"{address.host} could not be reached")
