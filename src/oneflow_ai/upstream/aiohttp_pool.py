"""The way out to providers over aiohttp: pools, time limits, TLS; no retries of its own, no redirects, no cookies."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from oneflow_ai.core.failure import (
    QUEUE_TIMEOUT,
    STORAGE_UNAVAILABLE,
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_BLOCKED,
    UPSTREAM_CLOSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    Failure,
    Kind,
)
from oneflow_ai.core.ports import HttpRequest, Mark
from oneflow_ai.upstream.aiohttp_answer import AiohttpAnswer, HeldResponse, PunctualHandler
from oneflow_ai.upstream.aiohttp_names import GuardedNames
from oneflow_ai.upstream.crowded import crowded
from oneflow_ai.upstream.dial import late, trust, untrusted
from oneflow_ai.upstream.reach import is_literal, refused
from oneflow_ai.upstream.way import UNREADABLE, Way

KEEP_ALIVE_SECONDS = 15.0
STALE_SECONDS_MOST = 0.25
UPLOAD_PIECE_BYTES = 64 << 10
WATCHED_UPLOAD_BYTES = 256 << 10
URLS_MOST = 1_024

_call: ContextVar[SimpleNamespace] = ContextVar("call")
"""What is known of the request that this task sends."""

# The first row that fits: what a network error means. Certificate errors come before the connector's own.
_MEANINGS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Kind, str], ...] = (
    (aiohttp.InvalidURL, UPSTREAM_UNREACHABLE, "{host} is no host that can be reached"),
    (aiohttp.ClientConnectorError, UPSTREAM_UNREACHABLE, "{host} could not be reached"),
    (TimeoutError, UPSTREAM_TIMEOUT, "{host} did not answer in time"),
    (aiohttp.ServerDisconnectedError, UPSTREAM_CLOSED, "{host} closed the connection without an answer"),
    (aiohttp.ClientPayloadError, UPSTREAM_CLOSED, "{host} closed the connection within its answer"),
    ((aiohttp.ClientOSError, OSError), UPSTREAM_CLOSED, "the connection to {host} broke"),
    (
        (aiohttp.ClientError, http_exceptions.HttpProcessingError, ValueError),
        UPSTREAM_BAD_RESPONSE,
        "{host} answered with what is not HTTP",
    ),
)
_NETWORK_ERRORS = (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, TimeoutError, ValueError)


class AiohttpUpstream:
    """One pool of connections; each provider's time limits come with the request. Certificates are always checked."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._context: ssl.SSLContext | None = None
        # Connections that are kept, and fresh ones.
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._closed = False
        self._urls: OrderedDict[str, URL] = OrderedDict()

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> AiohttpAnswer:
        """Send a request and give the answer once its head is there; raises `Failure`.

        A pooled connection that the provider closed as the request was written is replaced once, at no cost (F8).
        """
        url = self._url(request.url)
        trace = SimpleNamespace(
            reused=False,
            reached=False,
            queued=False,
            written=False,
            tls=url.scheme == "https",
            connect_seconds=request.timeouts.connect_seconds,
            mark=mark,
        )
        loop = asyncio.get_running_loop()
        written_seconds = loop.time()
        try:
            return await self._send(request, url, until_seconds, trace)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            late = loop.time() - written_seconds > STALE_SECONDS_MOST
            if late or not trace.reused or isinstance(error, aiohttp.ClientConnectorError):
                raise _meaning(error, url.host, trace) from None
        except _NETWORK_ERRORS as error:
            raise _meaning(error, url.host, trace) from None
        trace.reached = trace.written = False
        if mark is not None:
            mark.sent = False
        try:
            return await self._send(request, url, until_seconds, trace, fresh=True)
        except _NETWORK_ERRORS as error:
            raise _meaning(error, url.host, trace) from None

    async def close(self) -> None:
        """Close every connection; who waits for one is told so. A call under way may send again: on one of its own."""
        self._closed = True
        sessions, self._sessions = self._sessions, None
        for session in sessions or ():
            await session.close()

    async def _send(
        self, request: HttpRequest, url: URL, until_seconds: float, trace: SimpleNamespace, *, fresh: bool = False
    ) -> AiohttpAnswer:
        if self._closed:
            session = self._session(fresh=True)
            try:
                return await self._exchange(session, request, url, until_seconds, trace)
            finally:
                # Its one connection is the answer's, and closes with it.
                session.detach()
        if self._sessions is None:
            self._sessions = self._session(), self._session(fresh=True)
        try:
            return await self._exchange(self._sessions[fresh], request, url, until_seconds, trace)
        except asyncio.CancelledError:
            if self._ended_the_wait(trace):
                raise _closed_meanwhile() from None
            raise

    def _ended_the_wait(self, trace: SimpleNamespace) -> bool:
        """Whether not a call was cancelled, but its wait for a connection, as the way was closed."""
        task = asyncio.current_task()
        return self._closed and trace.queued and task is not None and not task.cancelling()

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        request: HttpRequest,
        url: URL,
        until_seconds: float,
        trace: SimpleNamespace,
    ) -> AiohttpAnswer:
        limits = request.timeouts
        connect_seconds = limits.connect_seconds + (limits.tls_seconds if trace.tls else 0.0)
        watched = request.large is not None or len(request.body) > WATCHED_UPLOAD_BYTES
        upload = _Upload(request) if watched else None
        headers: dict[str, str] = dict(request.headers)
        if upload is not None:
            headers["content-length"] = str(request.size_bytes)
        async with asyncio.timeout_at(until_seconds) as limit:
            if upload is not None:
                upload.watch(limit, limits.write_seconds)
            token = _call.set(trace)
            try:
                response = await session.request(
                    request.method,
                    url,
                    data=request.body if upload is None else upload.pieces(),
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_connect=connect_seconds),
                    trace_request_ctx=trace,
                    proxy=self.way.proxy,
                )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                if not trace.reached and crowded(error) is None:
                    self._doubt(url)
                raise
            except _NETWORK_ERRORS:
                if upload is not None and upload.unreadable:
                    raise Failure(STORAGE_UNAVAILABLE, UNREADABLE) from None
                raise
            finally:
                _call.reset(token)
                if upload is not None:
                    upload.unwatch()
        return AiohttpAnswer(response, url.host or "the provider")

    def _doubt(self, url: URL) -> None:
        """Nobody accepted a connection: they may have moved away from every address that is known."""
        first = url if self.way.proxy is None else URL(self.way.proxy)
        if first.host is not None and first.port is not None:
            self.way.resolver.doubt(first.host, first.port)

    def _session(self, *, fresh: bool = False) -> aiohttp.ClientSession:
        """Connections that are kept, or fresh ones, each for one request."""
        # Behind a proxy the only name that is resolved here is the proxy's, and the operator chose that.
        private = True if self.way.proxy is not None else self.way.private
        if self._context is None:
            self._context = trust(self.way)
        connector = aiohttp.TCPConnector(
            limit=self.way.connections_most,
            force_close=fresh,
            keepalive_timeout=None if fresh else KEEP_ALIVE_SECONDS,
            ssl=self._context,
            # The resolver keeps answers itself, and is told when they are of no use.
            use_dns_cache=False,
            resolver=GuardedNames(self.way.resolver, private, lambda: float(_call.get().connect_seconds)),
        )
        connector._factory = _handlers(self.way.head_seconds, connector._loop)  # type: ignore[assignment] # no public hook
        return aiohttp.ClientSession(
            connector=connector,
            response_class=HeldResponse,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            trust_env=False,
            trace_configs=[_tracing()],
        )

    def _url(self, text: str) -> URL:
        url = self._urls.get(text)
        if url is None:
            url = URL(text, encoded=True)
            # An address as it stands is resolved by nobody.
            if url.host and is_literal(url.host) and (why := refused(url.host, url.host, self.way.private)) is not None:
                raise Failure(UPSTREAM_BLOCKED, why)
            self._urls[text] = url
            if len(self._urls) > URLS_MOST:
                self._urls.popitem(last=False)
        return url


def _tracing() -> aiohttp.TraceConfig:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    tracing.on_connection_queued_start.append(_note_queued)
    tracing.on_connection_queued_end.append(_note_turn)
    tracing.on_request_headers_sent.append(_note_written)
    return tracing


async def _note_reuse(_session: object, trace: SimpleNamespace, _params: object) -> None:
    trace.trace_request_ctx.reused = True


async def _note_queued(_session: object, trace: SimpleNamespace, _params: object) -> None:
    trace.trace_request_ctx.queued = True


async def _note_turn(_session: object, trace: SimpleNamespace, _params: object) -> None:
    trace.trace_request_ctx.queued = False


async def _note_written(_session: object, trace: SimpleNamespace, _params: object) -> None:
    call = trace.trace_request_ctx
    call.written = True
    if call.mark is not None:
        call.mark.sent = True


def _closed_meanwhile() -> Failure:
    return Failure(UPSTREAM_UNREACHABLE, "the connections to the provider were closed while this call waited")


def _handlers(head_seconds: float, loop: asyncio.AbstractEventLoop) -> Callable[[], PunctualHandler]:
    def made() -> PunctualHandler:
        # A handler is made once the other side accepted: what times out after that is TLS.
        _call.get().reached = True
        return PunctualHandler(head_seconds, loop)

    return made


def _meaning(error: BaseException, host: str | None, trace: SimpleNamespace) -> Failure:
    name = host or "the provider"
    if trace.queued and isinstance(error, TimeoutError):
        # The limit is our own: it says nothing of the provider, and nothing was sent.
        return Failure(QUEUE_TIMEOUT, "no connection to the provider became free in time")
    if type(error) is aiohttp.ClientConnectionError and not trace.written:
        return _closed_meanwhile()
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return untrusted(name) if trace.tls and trace.reached else late(name)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return untrusted(name, error.certificate_error)
    # A break while TLS is agreed on is the connector's own error, and never comes once a request was written.
    broken = isinstance(error, aiohttp.ClientConnectorError) and trace.tls and trace.reached
    if broken or isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return untrusted(name)
    if not trace.written and (lack := crowded(error)) is not None:
        return lack
    for types, kind, words in _MEANINGS:
        if isinstance(error, types):
            return Failure(kind, words.format(host=host))
    raise error


class _Upload:
    """A large body sent piece by piece, and the watch that ends it when the provider stops reading."""

    def __init__(self, request: HttpRequest) -> None:
        self._body = request.body
        self._large = request.large
        self._loop = asyncio.get_running_loop()
        self._progress_seconds = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.unreadable = False

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), UPLOAD_PIECE_BYTES):
            yield self._body[start : start + UPLOAD_PIECE_BYTES]
            self._progress_seconds = self._loop.time()
        try:
            for piece in self._large.pieces() if self._large is not None else ():
                yield piece
                self._progress_seconds = self._loop.time()
        except OSError:
            self.unreadable = True
            raise
        self.unwatch()

    def watch(self, limit: asyncio.Timeout, seconds: float) -> None:
        self._timer = self._loop.call_at(self._progress_seconds + seconds, self._check, limit, seconds)

    def unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check(self, limit: asyncio.Timeout, seconds: float) -> None:
        if self._loop.time() - self._progress_seconds < seconds:
            self.watch(limit, seconds)
        else:
            limit.reschedule(self._loop.time())
