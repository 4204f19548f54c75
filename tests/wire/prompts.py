"""Prompts of the middle form, one for each thing that a text wire may be asked for."""

from oneflow_ai.core.prompt import (
    Document,
    Format,
    Image,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", SCHEMA)
ASKED = Message("user", (Text("Hello"),))
CALLED = Message("assistant", (ToolCall("call_a", "weather", '{"city":"Ulm"}'), ToolCall("call_b", "weather", "{}")))
RESULTS = Message("user", (ToolResult("call_a", (Text("12"),)), ToolResult("call_b", (Text("no"),), failed=True)))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PROMPTS: dict[str, Prompt] = {
    "plain": Prompt((ASKED,)),
    "system": Prompt((Message("system", (Text("Be kind", cache="5m"), Text("Be brief", cache="1h"))), ASKED)),
    "conversation": Prompt((ASKED, Message("assistant", (Text("Hi"), Refusal("No."))), ASKED)),
    "later system": Prompt((ASKED, Message("assistant", (Text("Hi"),)), Message("system", (Text("Stop"),)), ASKED)),
    "tools": Prompt(
        (ASKED,), tools=(WEATHER, Tool("bare"), Tool("strict", strict=True, cache="1h")), tool_choice="auto"
    ),
    "one tool at a time": Prompt((ASKED,), tools=(WEATHER,), parallel_tool_calls=False),
    "no tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="none", parallel_tool_calls=False),
    "any tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="required", parallel_tool_calls=False),
    "this tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="tool", tool_name="weather"),
    "tool loop": Prompt((ASKED, CALLED, RESULTS), tools=(WEATHER,)),
    "odd ids": Prompt(
        (
            ASKED,
            Message("assistant", (ToolCall("functions.get:0", "weather", ""),)),
            Message("user", (ToolResult("functions.get:0", ()),)),
        ),
        tools=(WEATHER,),
    ),
    "pictures": Prompt(
        (
            Message(
                "user", (Image(url="https://example.com/a.png"), Image(data=PNG, media_type="image/png", cache="5m"))
            ),
        )
    ),
    "documents": Prompt(
        (
            Message(
                "user",
                (
                    Document(url="https://example.com/a.pdf"),
                    Document(data="JVBERi0=", media_type="application/pdf", name="a.pdf", citations=True),
                    Document(text="plain", name="note", cache="1h"),
                    Document(data="aGk=", media_type="text/markdown"),
                ),
            ),
        )
    ),
    "picture from a tool": Prompt(
        (
            ASKED,
            CALLED,
            Message("user", (*RESULTS.parts, ToolResult("call_a", (Image(data=PNG, media_type="image/png"),)))),
        )
    ),
    "thoughts": Prompt(
        (
            ASKED,
            Message(
                "assistant",
                (
                    Reasoning("hm", signature="s1", wire="anthropic"),
                    Reasoning(sealed="dark", wire="anthropic"),
                    Reasoning("other", signature="s2", wire="gemini"),
                    Text("Hi"),
                ),
            ),
            ASKED,
        )
    ),
    "structured": Prompt(
        (ASKED,), format=Format({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}})
    ),
    "effort": Prompt((ASKED,), effort="high", show_reasoning=True),
    "budget": Prompt((ASKED,), thinking_tokens=2048, max_tokens=4096),
    "no thought": Prompt((ASKED,), effort="none"),
    "options": Prompt((ASKED,), max_tokens=5, stop=(".", "!"), service_tier="default", user="u" * 600),
    "sampling": Prompt((ASKED,), temperature=1.7, top_p=0.5, top_k=4, seed=7, presence_penalty=1.0, cache_key="k"),
}
