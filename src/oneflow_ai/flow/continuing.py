"""An answer that another model may go on with: what was said of it is kept, and the seam is marked for its client."""

from __future__ import annotations

from dataclasses import replace

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Client, Head
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.record import Exchange
from oneflow_ai.policy.continuation import CONTINUATIONS_MOST, KEPT_BYTES_MOST, continued


class Continuing:
    """Stands before the client of a call as long as it is tried: passes everything on, and keeps the text.

    It is one answer for the client, however many models write it: it begins once, and each further model is told in it
    as a delta of the kind `continued`.
    """

    __slots__ = ("_begun", "_call", "_client", "_continuations", "_kept", "_kept_bytes", "_prompt", "_space", "_spoken")

    def __init__(self, call: Call, prompt: Prompt, client: Client) -> None:
        self._call = call
        self._prompt = prompt
        self._client = client
        self._kept: list[str] | None = []
        self._kept_bytes = 0
        self._continuations = 0
        self._spoken = 0
        self._begun = False
        # White space that the text ends in, which the next model was not told of.
        self._space = ""

    @property
    def slow(self) -> bool:
        """Whether the client has enough to read."""
        return self._client.slow

    async def drained(self) -> None:
        """Wait for the client."""
        await self._client.drained()

    def begin(self, head: Head) -> None:
        """A model has begun to answer, or goes on."""
        if not self._begun:
            self._begun = True
            self._client.begin(head)
        else:
            self._client.send(Delta("continued", head.target.place))

    def send(self, event: Event) -> None:
        """Pass an event on."""
        if type(event) is Delta:
            if self._space:
                event = self._joined(event)
            if self._kept is not None:
                self._keep(event)
        self._client.send(event)

    async def finish(self, end: End, exchange: Exchange) -> None:
        """The answer is complete, whoever wrote it."""
        await self._client.finish(end, exchange)

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """The call failed."""
        await self._client.fail(failure, exchange)

    def next_call(self, output_tokens: int) -> Call | None:
        """The call that asks for the rest, after a part of so many tokens; None where nobody may go on with that.

        It has an id of its own: what it holds and uses is accounted for apart.
        """
        if self._kept is None or self._continuations >= CONTINUATIONS_MOST:
            return None
        text = "".join(self._kept)
        self._spoken += output_tokens
        prompt = continued(self._prompt, text, self._spoken)
        if prompt is None:
            return None
        self._continuations += 1
        self._kept = [text]
        self._space = text[len(text.rstrip()) :]
        return replace(
            self._call,
            id=f"{self._call.id}+{self._continuations}",
            wire="",
            read=lambda body: prompt,
            prompt_bytes=self._call.prompt_bytes + self._kept_bytes,
            output_most_tokens=prompt.max_tokens,
            translated=True,
        )

    def _keep(self, delta: Delta) -> None:
        """Keep a piece of the text; nothing more once there is something else, or too much."""
        assert self._kept is not None
        self._kept_bytes += len(delta.text.encode("utf-8", "surrogatepass"))
        if delta.kind == "text" and not delta.index and self._kept_bytes <= KEPT_BYTES_MOST:
            self._kept.append(delta.text)
        else:
            self._kept = None

    def _joined(self, delta: Delta) -> Delta:
        """A piece of the next model's without the white space that the client has already."""
        if delta.kind != "text" or not delta.text:
            return delta
        text, space = delta.text, self._space
        while text and space and text[0] == space[0]:
            text, space = text[1:], space[1:]
        self._space = "" if text else space
        return replace(delta, text=text)
