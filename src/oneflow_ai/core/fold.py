"""A whole answer, folded from its pieces: what each choice says, thinks, cites and calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneflow_ai.core.events import Delta


@dataclass(slots=True)
class Thought:
    """One block of reasoning: its text and seal, or what only its own wire can read."""

    text: str = ""
    signature: str = ""
    sealed: str = ""
    wire: str = ""


@dataclass(slots=True)
class Called:
    """One call of a tool; `arguments` is JSON text, empty where the tool takes none."""

    id: str
    name: str
    arguments: str = ""
    signature: str = ""
    wire: str = ""


@dataclass(slots=True)
class Choice:
    """One choice of an answer. `citations` and `logprobs` are JSON, as the pieces have it."""

    text: str = ""
    refusal: str = ""
    thoughts: list[Thought] = field(default_factory=list)
    tools: dict[int, Called] = field(default_factory=dict)
    citations: list[str] = field(default_factory=list)
    logprobs: list[str] = field(default_factory=list)

    @property
    def reasoning(self) -> str:
        """All reasoning that can be read."""
        return "".join(thought.text for thought in self.thoughts)


class Fold:
    """Gathers the pieces of one answer. `choices` maps a choice's index to what it has become."""

    __slots__ = ("_texts", "choices")

    def __init__(self) -> None:
        self.choices: dict[int, Choice] = {}
        self._texts: dict[tuple[int, str, int], list[str]] = {}

    def add(self, delta: Delta) -> None:
        """One more piece."""
        choice = self.choices.get(delta.index)
        if choice is None:
            choice = self.choices[delta.index] = Choice()
        kind = delta.kind
        if kind in ("text", "refusal"):
            self._texts.setdefault((delta.index, kind, 0), []).append(delta.text)
        elif kind == "tool_arguments":
            self._texts.setdefault((delta.index, kind, delta.tool_index), []).append(delta.text)
        elif kind == "tool_call":
            choice.tools[delta.tool_index] = Called(delta.tool_id, delta.text)
        elif kind == "tool_signature":
            called = choice.tools.get(delta.tool_index)
            if called is not None:
                called.signature, called.wire = delta.text, delta.wire
        elif kind == "citation":
            choice.citations.append(delta.text)
        elif kind == "logprobs":
            choice.logprobs.append(delta.text)
        else:
            self._think(choice, delta)

    def whole(self) -> dict[int, Choice]:
        """The choices, complete."""
        for (index, kind, tool_index), pieces in self._texts.items():
            choice, text = self.choices[index], "".join(pieces)
            if kind == "text":
                choice.text = text
            elif kind == "refusal":
                choice.refusal = text
            elif kind == "reasoning":
                choice.thoughts[tool_index].text = text
            elif tool_index in choice.tools:
                choice.tools[tool_index].arguments = text
        return self.choices

    def _think(self, choice: Choice, delta: Delta) -> None:
        thoughts = choice.thoughts
        if delta.kind == "sealed":
            thoughts.append(Thought(sealed=delta.text, wire=delta.wire))
            return
        if not thoughts or thoughts[-1].signature or thoughts[-1].sealed:
            thoughts.append(Thought())
        if delta.kind == "reasoning":
            self._texts.setdefault((delta.index, "reasoning", len(thoughts) - 1), []).append(delta.text)
        else:
            thoughts[-1].signature, thoughts[-1].wire = delta.text, delta.wire
