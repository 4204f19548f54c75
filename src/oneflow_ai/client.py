"""OneFlow in your own process: the whole engine behind two small classes, one to await and one to call."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from oneflow_ai.answer import Answer, Collector, EmbeddingAnswer, MediaAnswer, OneFlowError
from oneflow_ai.app.clock import SystemClock, system_chance
from oneflow_ai.app.keys import look_into_vault
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.calls import Recording, call_of, upload_of
from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Delta, Event
from oneflow_ai.core.failure import DRAINING
from oneflow_ai.dialects import plain, plain_orders
from oneflow_ai.loop_thread import AFTER_ITS_END, Ended, LoopThread
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.stores.memory_quota import MemoryQuota

PIECES_WAITING_MOST = 64
TEXT_ROUTE, IMAGE_ROUTE, SPEECH_ROUTE, TRANSCRIPTION_ROUTE = "text", "image", "speech", "transcription"
EMBEDDING_ROUTE = "embedding"

THREAD = LoopThread("oneflow")
"""The thread of all objects of this process that are called, not awaited."""
T = TypeVar("T")

# A credential's limit is one, however many objects call with it: those of one loop share it.
_QUOTAS: WeakKeyDictionary[asyncio.AbstractEventLoop, MemoryQuota] = WeakKeyDictionary()


def shared_quota() -> MemoryQuota:
    """The providers' limits for all calls of the running loop."""
    loop = asyncio.get_running_loop()
    quota = _QUOTAS.get(loop)
    if quota is None:
        quota = _QUOTAS[loop] = MemoryQuota(SystemClock(), system_chance())
    return quota


class AsyncOneFlow:
    """The engine in the running event loop, with the configuration that the server would use.

    Use it as an async context manager, or `open` it and `close` it. `config` names a TOML file; without one it is
    looked for as the server does. With neither configuration nor provider key, the built-in simulator answers and
    every answer says so.
    """

    def __init__(self, config: str | Path | None = None, *, settings: Loaded | None = None) -> None:
        self._config = Path(config) if config is not None else None
        self._settings = settings
        self._runtime: Runtime | None = None
        self._closed = False
        self._opening = asyncio.Lock()

    async def open(self) -> Self:
        """Start; raises `SettingsError` naming every mistake of the configuration. Harmless if repeated."""
        async with self._opening:
            if self._runtime is None:
                loaded = self._settings or load(self._config, kinds=TABLE, vault=look_into_vault)
                self._runtime = await Runtime(loaded, in_process=True, quota=shared_quota()).__aenter__()
            self._closed = False
        return self

    async def close(self) -> None:
        """End the calls under way, write the history and close every connection. Harmless if repeated.

        Those calls raise `OneFlowError` (`draining`), as every call does from then on, unless it is opened again.
        """
        self._closed = True
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def text(
        self,
        prompt: plain.Prompt,
        model: str = TEXT_ROUTE,
        *,
        on_piece: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Answer:
        """One answer of text to a prompt, or to a list of chat messages.

        `model` is a route, `provider/model` or a bare model id. `on_piece` is told each piece of the text as it comes.
        `options` are those of a chat (`max_tokens`, `temperature`, `tools`, …), `system`, and `timeout_seconds`.
        Raises `OneFlowError`.
        """
        runtime = await self._ready()
        collector = Collector() if on_piece is None else _Told(on_piece)
        call = _text_call(runtime, prompt, model, options, stream=on_piece is not None)
        await runtime.engine.serve(call, collector)
        return collector.answer(runtime.clock.monotonic())

    async def image(self, prompt: str, model: str = IMAGE_ROUTE, **options: Any) -> MediaAnswer:
        """Pictures of a prompt.

        `options` are `n`, `size` (`1024x1024`) or `width` and `height` or `aspect_ratio` (`16:9`), `quality`,
        `style`, `background`, `output_format` (`png`, `jpeg`, `webp`), `output_compression`, `negative_prompt`,
        `seed`, and `timeout_seconds`. Raises `OneFlowError`.
        """
        make = partial(plain_orders.image_call, prompt)
        return await self._media(make, model, options, Operation.IMAGE)

    async def speech(self, text: str, model: str = SPEECH_ROUTE, **options: Any) -> MediaAnswer:
        """A text, spoken.

        `options` are `voice`, `response_format` (`mp3`, `opus`, `aac`, `flac`, `wav`, `pcm`), `speed`,
        `instructions`, `language`, `seed`, and `timeout_seconds`. Raises `OneFlowError`.
        """
        make = partial(plain_orders.speech_call, text)
        return await self._media(make, model, options, Operation.SPEECH)

    async def transcribe(self, audio: Recording, model: str = TRANSCRIPTION_ROUTE, **options: Any) -> Answer:
        """What is said in a recording, given by its path or its bytes.

        `options` are `language`, `prompt`, `response_format` (`srt` and `vtt` give subtitles), `temperature`,
        `timeout_seconds`, and `filename`, what bytes are called. Raises `OneFlowError`, and `OSError` for a file that
        cannot be read.
        """
        runtime = await self._ready()
        name = options.pop("filename", None)
        upload = await upload_of(runtime, audio, None if name is None else str(name))
        collector = Collector()
        make = partial(plain_orders.transcript_call, upload)
        await runtime.engine.serve(
            call_of(runtime, Operation.TRANSCRIPTION, options, partial(make, model=model)), collector
        )
        return collector.answer(runtime.clock.monotonic())

    async def embed(self, texts: str | Sequence[str], model: str = EMBEDDING_ROUTE, **options: Any) -> EmbeddingAnswer:
        """A vector of each text. `options` are `dimensions`, and `timeout_seconds`. Raises `OneFlowError`."""
        runtime = await self._ready()
        collector = Collector()
        make = partial(plain.vectors_call, texts, model=model)
        await runtime.engine.serve(call_of(runtime, Operation.EMBEDDING, options, make), collector)
        return collector.embedding_answer(runtime.clock.monotonic())

    async def stream(self, prompt: plain.Prompt, model: str = TEXT_ROUTE, **options: Any) -> AsyncGenerator[str, None]:
        """The pieces of an answer's text as they come; leaving the loop early ends the call. Raises `OneFlowError`."""
        runtime = await self._ready()
        call = _text_call(runtime, prompt, model, options, stream=True)
        pieces = _Pieces()
        task = asyncio.ensure_future(runtime.engine.serve(call, pieces))
        task.add_done_callback(pieces.ended)
        try:
            async for piece in pieces.read():
                yield piece
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        error = pieces.error()
        if error is not None:
            raise error

    async def _media(
        self, make: Callable[..., Call], model: str, options: dict[str, Any], operation: Operation
    ) -> MediaAnswer:
        runtime = await self._ready()
        collector = Collector()
        await runtime.engine.serve(call_of(runtime, operation, options, partial(make, model=model)), collector)
        return collector.media_answer(runtime.clock.monotonic())

    async def _ready(self) -> Runtime:
        if self._closed:
            raise _draining(AFTER_ITS_END)
        if self._runtime is None:
            await self.open()
        assert self._runtime is not None
        return self._runtime


class OneFlow:
    """The engine on a loop thread; safe to call from any thread, and inside a running event loop.

    All objects of a process share that thread, and with it each credential's limits.

    Takes what `AsyncOneFlow` takes. Close it, or use it as a context manager, so that the history is written.
    """

    def __init__(self, config: str | Path | None = None, *, settings: Loaded | None = None) -> None:
        self._closed = False
        THREAD.borrow()
        try:
            self._flow = THREAD.run(AsyncOneFlow(config, settings=settings).open())
        except BaseException:
            THREAD.give_back()
            raise

    def text(self, prompt: plain.Prompt, model: str = TEXT_ROUTE, **options: Any) -> Answer:
        """One answer of text; see `AsyncOneFlow.text`."""
        return _run(self._flow.text(prompt, model, **options))

    def image(self, prompt: str, model: str = IMAGE_ROUTE, **options: Any) -> MediaAnswer:
        """Pictures of a prompt; see `AsyncOneFlow.image`."""
        return _run(self._flow.image(prompt, model, **options))

    def speech(self, text: str, model: str = SPEECH_ROUTE, **options: Any) -> MediaAnswer:
        """A text, spoken; see `AsyncOneFlow.speech`."""
        return _run(self._flow.speech(text, model, **options))

    def transcribe(self, audio: Recording, model: str = TRANSCRIPTION_ROUTE, **options: Any) -> Answer:
        """What is said in a recording; see `AsyncOneFlow.transcribe`."""
        return _run(self._flow.transcribe(audio, model, **options))

    def embed(self, texts: str | Sequence[str], model: str = EMBEDDING_ROUTE, **options: Any) -> EmbeddingAnswer:
        """A vector of each text; see `AsyncOneFlow.embed`."""
        return _run(self._flow.embed(texts, model, **options))

    def stream(self, prompt: plain.Prompt, model: str = TEXT_ROUTE, **options: Any) -> Generator[str, None, None]:
        """The pieces of an answer's text as they come; see `AsyncOneFlow.stream`."""
        pieces = self._flow.stream(prompt, model, **options)
        try:
            while True:
                try:
                    yield _run(_next(pieces))
                except StopAsyncIteration:
                    return
        finally:
            # Where the loop has ended, so has the call.
            with contextlib.suppress(Ended):
                THREAD.run(_end(pieces))

    def close(self) -> None:
        """End the calls under way, write the history and close every connection. Harmless if repeated.

        Those calls raise `OneFlowError` (`draining`), as every call does from then on.
        """
        if not self._closed:
            self._closed = True
            try:
                THREAD.run(self._flow.close())
            finally:
                THREAD.give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Told(Collector):
    """Tells each piece of the first choice's text as it comes, and keeps the whole answer."""

    def __init__(self, on_piece: Callable[[str], None]) -> None:
        super().__init__()
        self._on_piece = on_piece

    def send(self, event: Event) -> None:
        """One event of the answer."""
        super().send(event)
        if isinstance(event, Delta) and event.kind == "text" and event.index == 0:
            self._on_piece(event.text)


class _Pieces(Collector):
    """Passes the text on piece by piece; the engine waits while the reader is slow."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: deque[str] = deque()
        self._change = asyncio.Event()
        self._fault: BaseException | None = None
        self._over = False

    @property
    def slow(self) -> bool:
        """Whether enough pieces wait to be read."""
        return len(self._pieces) >= PIECES_WAITING_MOST

    async def drained(self) -> None:
        """Wait for the reader."""
        while self.slow:
            await self._changed()

    def send(self, event: Event) -> None:
        """One event: text of the first choice goes to the reader."""
        if isinstance(event, Delta) and event.kind == "text" and event.index == 0:
            self._pieces.append(event.text)
            self._change.set()

    def ended(self, task: asyncio.Future[None]) -> None:
        """The engine is done with the call."""
        if not task.cancelled():
            self._fault = task.exception()
        self._over = True
        self._change.set()

    async def read(self) -> AsyncIterator[str]:
        """The pieces until the end."""
        while self._pieces or not self._over:
            if not self._pieces:
                await self._changed()
                continue
            piece = self._pieces.popleft()
            self._change.set()
            yield piece
        if self._fault is not None:
            raise self._fault

    async def _changed(self) -> None:
        self._change.clear()
        await self._change.wait()


def _text_call(runtime: Runtime, prompt: plain.Prompt, model: str, options: dict[str, Any], *, stream: bool) -> Call:
    make = partial(plain.text_call, prompt, model=model, stream=stream)
    return call_of(runtime, Operation.CHAT, options, make)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop thread; raises `OneFlowError` where that has ended."""
    try:
        return THREAD.run(work)
    except Ended as ended:
        raise _draining(str(ended)) from None


def _draining(words: str) -> OneFlowError:
    return OneFlowError(words, code=DRAINING.code, status=DRAINING.status)


async def _next(pieces: AsyncIterator[str]) -> str:
    return await anext(pieces)


async def _end(pieces: AsyncGenerator[str, None]) -> None:
    await pieces.aclose()
