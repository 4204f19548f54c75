"""The way out to providers over aiohttp: pools, time limits, TLS; no retries of its own, no redirects, no cookies."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from oneflow_ai.core.failure import (
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_CLOSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TLS_ERROR,
    UPSTREAM_UNREACHABLE,
    Failure,
    Kind,
)
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.upstream.aiohttp_answer import AiohttpAnswer, PunctualHandler
from oneflow_ai.upstream.way import Way

KEEP_ALIVE_SECONDS = 15.0
STALE_SECONDS_MOST = 0.25
UPLOAD_PIECE_BYTES = 64 << 10
WATCHED_UPLOAD_BYTES = 256 << 10
URLS_MOST = 1_024

# The first row that fits: what a network error means. Certificate errors come before the connector's own.
_MEANINGS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Kind, str], ...] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), UPSTREAM_TLS_ERROR, "no trusted TLS connection to {host}"),
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
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._urls: OrderedDict[str, URL] = OrderedDict()

    async def send(self, request: HttpRequest, until_seconds: float) -> AiohttpAnswer:
        """Send a request and give the answer once its head is there; raises `Failure`.

        A pooled connection that the provider closed as the request was written is replaced once, at no cost (F8).
        """
        url = self._url(request.url)
        trace = SimpleNamespace(reused=False)
        if self._pooled is None:
            self._open()
        assert self._pooled is not None and self._fresh is not None
        loop = asyncio.get_running_loop()
        written_seconds = loop.time()
        try:
            return await self._send(self._pooled, request, url, until_seconds, trace)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            late = loop.time() - written_seconds > STALE_SECONDS_MOST
            if late or not trace.reused or isinstance(error, aiohttp.ClientConnectorError):
                raise _meaning(error, url.host) from None
        except _NETWORK_ERRORS as error:
            raise _meaning(error, url.host) from None
        try:
            return await self._send(self._fresh, request, url, until_seconds, trace)
        except _NETWORK_ERRORS as error:
            raise _meaning(error, url.host) from None

    async def close(self) -> None:
        """Close every connection."""
        for session in (self._pooled, self._fresh):
            if session is not None:
                await session.close()
        self._pooled = self._fresh = None

    async def _send(
        self, session: aiohttp.ClientSession, request: HttpRequest, url: URL, until_seconds: float, trace: object
    ) -> AiohttpAnswer:
        upload = _Upload(request.body) if len(request.body) > WATCHED_UPLOAD_BYTES else None
        headers: dict[str, str] = dict(request.headers)
        if upload is not None:
            headers["content-length"] = str(len(request.body))
        async with asyncio.timeout_at(until_seconds) as limit:
            if upload is not None:
                upload.watch(limit, request.timeouts.write_seconds)
            try:
                response = await session.request(
                    request.method,
                    url,
                    data=request.body if upload is None else upload.pieces(),
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_connect=request.timeouts.connect_seconds),
                    trace_request_ctx=trace,
                    proxy=self.way.proxy,
                )
            finally:
                if upload is not None:
                    upload.unwatch()
        return AiohttpAnswer(response, url.host or "the provider")

    def _open(self) -> None:
        context = ssl.create_default_context(cafile=self.way.ca_file)
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        pool = aiohttp.TCPConnector(
            limit=self.way.connections_most,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ssl=context,
        )
        once = aiohttp.TCPConnector(limit=self.way.connections_most, force_close=True, ssl=context)
        for connector in (pool, once):
            connector._factory = functools.partial(PunctualHandler, self.way.head_seconds, loop=connector._loop)  # type: ignore[assignment] # no public hook
        self._pooled = _session(pool, [tracing])
        self._fresh = _session(once, [])

    def _url(self, text: str) -> URL:
        url = self._urls.get(text)
        if url is None:
            url = self._urls[text] = URL(text, encoded=True)
            if len(self._urls) > URLS_MOST:
                self._urls.popitem(last=False)
        return url


def _session(connector: aiohttp.TCPConnector, tracing: list[aiohttp.TraceConfig]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        trust_env=False,
        trace_configs=tracing,
    )


async def _note_reuse(_session: object, trace: SimpleNamespace, _params: object) -> None:
    trace.trace_request_ctx.reused = True


def _meaning(error: BaseException, host: str | None) -> Failure:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        # Nothing was sent: it is as safe to try elsewhere as after a refusal, though it is told as a timeout.
        words = f"{host} did not accept a connection in time"
        return Failure(UPSTREAM_UNREACHABLE, words, status=504, code=UPSTREAM_TIMEOUT.code)
    for types, kind, words in _MEANINGS:
        if isinstance(error, types):
            return Failure(kind, words.format(host=host))
    raise error


class _Upload:
    """A large body sent piece by piece, and the watch that ends it when the provider stops reading."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._progress_seconds = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), UPLOAD_PIECE_BYTES):
            yield self._body[start : start + UPLOAD_PIECE_BYTES]
            self._progress_seconds = self._loop.time()
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
