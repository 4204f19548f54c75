"""The official Google client on its own and on the other providers' models, by changing its base URL and key only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from tests.clients.everywhere import MODELS, PIXEL, TOOLS, Gateway, closed_port

pytestmark = [
    pytest.mark.clients,
    # the client builds on aiohttp in a way that aiohttp discourages
    pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning"),
]

KINDS = pytest.mark.parametrize("kind", ["gemini", "openai", "anthropic", "bedrock"])
WHOLE_OR_STREAM = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
HELLO = "Say hello to the sea."
OFFERED = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=name, description=words, parameters_json_schema=schema)
        for name, (words, schema) in TOOLS.items()
    ]
)
SHORT = types.GenerateContentConfig(max_output_tokens=400)


def made(url: str, key: str, **headers: str) -> genai.Client:
    """A client without retries."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, headers=headers or None))


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[genai.Client]:
    with made(gateway.url, gateway.key) as found:
        yield found


def ask(client: genai.Client, streamed: bool, model: str, contents: Any = HELLO, config: Any = SHORT) -> Any:
    """The answer to a request; of a stream its parts, its end and its usage, put together."""
    if not streamed:
        return client.models.generate_content(model=model, contents=contents, config=config)
    pieces = list(client.models.generate_content_stream(model=model, contents=contents, config=config))
    last = pieces[-1]
    assert last.candidates and last.usage_metadata
    parts = [
        part for piece in pieces for one in piece.candidates or () if one.content for part in one.content.parts or ()
    ]
    candidate = last.candidates[0].model_copy(update={"content": types.Content(role="model", parts=parts)})
    return last.model_copy(update={"candidates": [candidate]})


def text_of(answer: Any) -> str:
    return "".join(part.text or "" for part in answer.candidates[0].content.parts if not part.thought)


def reason_of(answer: Any) -> Any:
    return answer.candidates[0].finish_reason


@KINDS
def test_an_answer_and_its_stream_say_the_same(client: genai.Client, kind: str) -> None:
    config = types.GenerateContentConfig(max_output_tokens=400, system_instruction="Be kind.", temperature=1)
    whole = client.models.generate_content(model=MODELS[kind], contents=HELLO, config=config)
    pieces = list(client.models.generate_content_stream(model=MODELS[kind], contents=HELLO, config=config))
    assert whole.text and "hello to the sea" in whole.text
    assert "".join(piece.text or "" for piece in pieces) == whole.text
    assert len(pieces) > 2
    assert reason_of(whole) == reason_of(pieces[-1]) == types.FinishReason.STOP
    assert whole.model_version == pieces[-1].model_version
    for usage in (whole.usage_metadata, pieces[-1].usage_metadata):
        assert usage is not None and usage.prompt_token_count and usage.candidates_token_count
        counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count or 0)
        assert usage.total_token_count == sum(counts)


@KINDS
async def test_the_async_client(gateway: Gateway, kind: str) -> None:
    async with made(gateway.url, gateway.key).aio as client:
        answer = await client.models.generate_content(model=MODELS[kind], contents=HELLO, config=SHORT)
        stream = await client.models.generate_content_stream(model=MODELS[kind], contents=HELLO, config=SHORT)
        assert "".join([piece.text or "" async for piece in stream]) == answer.text


@KINDS
@WHOLE_OR_STREAM
def test_an_answer_that_is_cut_says_so(client: genai.Client, kind: str, streamed: bool) -> None:
    answer = ask(client, streamed, MODELS[kind], config=types.GenerateContentConfig(max_output_tokens=20))
    assert reason_of(answer) == types.FinishReason.MAX_TOKENS


def results(calls: list[Any], turn: int) -> list[types.Part]:
    return [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"result": f"{call.name} says {turn}"}
            )
        )
        for call in calls
    ]


@KINDS
@WHOLE_OR_STREAM
def test_a_loop_of_three_turns_with_two_calls_each(client: genai.Client, kind: str, streamed: bool) -> None:
    config = types.GenerateContentConfig(
        max_output_tokens=2_000,
        tools=[OFFERED],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    said: list[types.Content] = []
    for turn in range(3):
        words = f"Turn {turn}: get_weather and get_time of two cities, please."
        said.append(types.Content(role="user", parts=[types.Part(text=words)]))
        answer = ask(client, streamed, MODELS[kind], said, config)
        calls = answer.function_calls
        assert [call.name for call in calls] == list(TOOLS)
        assert all(isinstance(call.args["city"], str) for call in calls)
        said += [answer.candidates[0].content, types.Content(role="user", parts=results(calls, turn))]
        answer = ask(client, streamed, MODELS[kind], said, config)
        assert reason_of(answer) == types.FinishReason.STOP
        assert all(f"{name} says {turn}" in text_of(answer) for name in TOOLS)
        said.append(answer.candidates[0].content)


@KINDS
@WHOLE_OR_STREAM
def test_functions_with_names_that_only_its_own_wire_takes(client: genai.Client, kind: str, streamed: bool) -> None:
    name, schema = "ns.tool:a", TOOLS["get_time"][1]
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name=name, parameters_json_schema=schema)])
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=[name])
    free = types.GenerateContentConfig(
        max_output_tokens=2_000,
        tools=[tool],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    forced = free.model_copy(update={"tool_config": types.ToolConfig(function_calling_config=calling)})
    said: list[types.Content] = []
    for turn in range(2):
        said.append(types.Content(role="user", parts=[types.Part(text="What is it like in Oslo?")]))
        answer = ask(client, streamed, MODELS[kind], said, forced)
        calls = answer.function_calls
        assert [call.name for call in calls] == [name]
        said += [answer.candidates[0].content, types.Content(role="user", parts=results(calls, turn))]
        answer = ask(client, streamed, MODELS[kind], said, free)
        assert f"{name} says {turn}" in text_of(answer)
        said.append(answer.candidates[0].content)


@KINDS
@WHOLE_OR_STREAM
def test_a_chat_keeps_its_own_history(client: genai.Client, kind: str, streamed: bool) -> None:
    config = types.GenerateContentConfig(
        max_output_tokens=2_000,
        tools=[OFFERED],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    chat = client.chats.create(model=MODELS[kind], config=config)

    def send(message: Any) -> list[Any]:
        return list(chat.send_message_stream(message)) if streamed else [chat.send_message(message)]

    calls = [call for piece in send("get_weather and get_time, please.") for call in piece.function_calls or ()]
    assert [call.name for call in calls] == list(TOOLS)
    told = "".join(piece.text or "" for piece in send(results(calls, 1)))
    assert all(f"{name} says 1" in told for name in TOOLS)
    assert "".join(piece.text or "" for piece in send("Thank you."))


@KINDS
def test_functions_that_the_client_calls_by_itself(client: genai.Client, kind: str) -> None:
    called: list[str] = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return "weather of snow"

    config = types.GenerateContentConfig(max_output_tokens=2_000, tools=[get_weather])
    answer = client.models.generate_content(model=MODELS[kind], contents="get_weather of Oslo", config=config)
    assert called and answer.text and "weather of snow" in answer.text


class Place(BaseModel):
    """What the structured answer must be."""

    city: str
    population: int
    nickname: str | None = None


@KINDS
@pytest.mark.parametrize("field", ["response_schema", "response_json_schema"])
def test_a_parsed_structured_answer(client: genai.Client, kind: str, field: str) -> None:
    schema: Any = Place if field == "response_schema" else Place.model_json_schema()
    asked: Any = {"max_output_tokens": 400, "response_mime_type": "application/json", field: schema}
    config = types.GenerateContentConfig(**asked)
    answer = client.models.generate_content(model=MODELS[kind], contents=HELLO, config=config)
    assert answer.text and Place.model_validate_json(answer.text).city
    assert field != "response_schema" or isinstance(answer.parsed, Place)


@KINDS
def test_pictures_in_the_prompt(client: genai.Client, kind: str) -> None:
    question = types.Part(text="What is in this picture?")
    picture = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    pair: list[Any] = [[picture, question], [question]]
    seen, unseen = (client.models.generate_content(model=MODELS[kind], contents=parts, config=SHORT) for parts in pair)
    assert seen.text and seen.usage_metadata and unseen.usage_metadata
    assert (seen.usage_metadata.prompt_token_count or 0) > (unseen.usage_metadata.prompt_token_count or 0)


@pytest.mark.parametrize("kind", ["gemini", "openai", "anthropic"])
def test_a_picture_by_its_address(client: genai.Client, kind: str) -> None:
    picture = types.Part.from_uri(file_uri="https://example.com/a.png", mime_type="image/png")
    assert ask(client, False, MODELS[kind], [picture, "What is this?"]).text


@pytest.mark.parametrize("kind", ["gemini", "anthropic", "bedrock"])
@WHOLE_OR_STREAM
def test_thoughts_are_shown_and_may_be_given_back(client: genai.Client, kind: str, streamed: bool) -> None:
    config = types.GenerateContentConfig(
        max_output_tokens=3_000,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1_024),
    )
    answer = ask(client, streamed, MODELS[kind], config=config)
    parts = answer.candidates[0].content.parts
    assert "".join(part.text or "" for part in parts if part.thought)
    assert any(part.thought_signature for part in parts)
    # Bedrock does not tell them apart.
    assert answer.usage_metadata.thoughts_token_count or kind == "bedrock"
    again = [
        types.Content(role="user", parts=[types.Part(text=HELLO)]),
        answer.candidates[0].content,
        types.Content(role="user", parts=[types.Part(text="Once more.")]),
    ]
    assert "Once more." in text_of(ask(client, streamed, MODELS[kind], again, config))


@pytest.mark.parametrize("kind", ["gemini", "openai", "anthropic", "bedrock"])
def test_tokens_are_counted(client: genai.Client, kind: str) -> None:
    few, many = (
        client.models.count_tokens(model=MODELS[kind], contents=words).total_tokens for words in (HELLO, HELLO * 50)
    )
    assert few and many and 0 < few < many


@pytest.mark.parametrize("model", ["gemini/gemini-embedding-001", "openai/text-embedding-3-small"])
def test_texts_are_embedded(client: genai.Client, model: str) -> None:
    config = types.EmbedContentConfig(output_dimensionality=8)
    texts: Any = ["bees", "wasps"]
    found = client.models.embed_content(model=model, contents=texts, config=config)
    assert [len(each.values or ()) for each in found.embeddings or ()] == [8, 8]


def test_what_a_vector_is_for_is_told_to_its_own_wire_alone(client: genai.Client) -> None:
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY")
    found = client.models.embed_content(model="gemini/gemini-embedding-001", contents="bees", config=config)
    assert found.embeddings and found.embeddings[0].values
    with pytest.raises(errors.ClientError, match="taskType"):
        client.models.embed_content(model="openai/text-embedding-3-small", contents="bees", config=config)


def test_models_are_listed(client: genai.Client) -> None:
    names = [model.name for model in client.models.list()]
    assert {f"models/{name}" for name in MODELS.values()} <= set(names)
    one = client.models.get(model=MODELS["anthropic"])
    assert one.name == f"models/{MODELS['anthropic']}"
    assert one.supported_actions and "generateContent" in one.supported_actions
    with pytest.raises(errors.ClientError) as caught:
        client.models.get(model="openai/of-nobody")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


OWN: dict[str, Any] = {
    "googleSearch": {"tools": [types.Tool(google_search=types.GoogleSearch())]},
    "codeExecution": {"tools": [types.Tool(code_execution=types.ToolCodeExecution())]},
    "urlContext": {"tools": [types.Tool(url_context=types.UrlContext())]},
    "cachedContent": {"cached_content": "cachedContents/simulated-1"},
    "safetySettings": {
        "safety_settings": [
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
                threshold=types.HarmBlockThreshold.BLOCK_ONLY_HIGH,
            )
        ]
    },
    "generationConfig.mediaResolution": {"media_resolution": types.MediaResolution.MEDIA_RESOLUTION_LOW},
    "generationConfig.responseMimeType": {
        "response_mime_type": "text/x.enum",
        "response_schema": {"type": "STRING", "enum": ["yes", "no"]},
    },
}


@pytest.mark.parametrize("field", OWN)
@WHOLE_OR_STREAM
def test_what_googles_models_alone_can_do_reaches_them(client: genai.Client, field: str, streamed: bool) -> None:
    config = types.GenerateContentConfig(max_output_tokens=400, **OWN[field])
    answer = ask(client, streamed, MODELS["gemini"], config=config)
    assert text_of(answer) and reason_of(answer) == types.FinishReason.STOP
    assert field != "cachedContent" or answer.usage_metadata.cached_content_token_count == 5_000
    assert field != "generationConfig.responseMimeType" or text_of(answer) == "yes"
    with pytest.raises(errors.ClientError, match=field) as caught:
        ask(client, streamed, MODELS["openai"], config=config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


@WHOLE_OR_STREAM
def test_what_an_answer_rests_on_arrives(client: genai.Client, streamed: bool) -> None:
    config = types.GenerateContentConfig(max_output_tokens=400, **OWN["googleSearch"])
    answer = ask(client, streamed, MODELS["gemini"], config=config)
    grounded = answer.candidates[0].grounding_metadata
    assert grounded.web_search_queries == [HELLO]
    assert [chunk.web.uri for chunk in grounded.grounding_chunks] == ["https://example.com/simulated"]
    assert grounded.grounding_supports[0].segment.text == text_of(answer)
    assert answer.usage_metadata.tool_use_prompt_token_count == 100


def test_labels_and_a_model_of_its_own_fields(client: genai.Client) -> None:
    """The client sends labels to Vertex alone; they are a field of the wire all the same."""
    options = types.HttpOptions(extra_body={"labels": {"team": "a"}, "store": False})
    config = types.GenerateContentConfig(max_output_tokens=400, http_options=options)
    for kind in ("gemini", "openai"):
        assert ask(client, False, MODELS[kind], config=config).text


@KINDS
def test_what_is_not_known_is_refused_by_name(client: genai.Client, kind: str) -> None:
    options = types.HttpOptions(extra_body={"ownField": 1})
    config = types.GenerateContentConfig(max_output_tokens=400, http_options=options)
    with pytest.raises(errors.ClientError, match="ownField") as caught:
        ask(client, False, MODELS[kind], config=config)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


@KINDS
@pytest.mark.parametrize(
    ("model", "error", "code", "status"),
    [
        ("{}/sim-F25", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("{}/sim-F25;kind=context", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("{}/sim-F25;status=404", errors.ClientError, 404, "NOT_FOUND"),
        ("limited-{}/sim-F22", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("refused-{}/sim-F24", errors.ServerError, 502, "UNAVAILABLE"),
        ("{}/sim-F23", errors.ServerError, 502, "UNAVAILABLE"),
        ("{}/sim-F23;status=503", errors.ServerError, 503, "UNAVAILABLE"),
    ],
)
@WHOLE_OR_STREAM
def test_every_failure_is_the_clients_own_error(
    client: genai.Client, kind: str, model: str, error: type[errors.APIError], code: int, status: str, streamed: bool
) -> None:
    with pytest.raises(error) as caught:
        ask(client, streamed, model.format(kind))
    assert (caught.value.code, caught.value.status) == (code, status)


@KINDS
def test_an_error_within_a_stream_is_raised(client: genai.Client, kind: str) -> None:
    stream = client.models.generate_content_stream(model=f"{kind}/sim-F18@event:3", contents=HELLO, config=SHORT)
    assert next(stream).text
    with pytest.raises(errors.ServerError):
        list(stream)


@KINDS
def test_what_is_no_answer_at_all(client: genai.Client, gateway: Gateway, kind: str) -> None:
    with pytest.raises(errors.ServerError) as caught:
        ask(made(gateway.url, gateway.key, **{"x-oneflow-timeout-ms": "300"}), False, f"{kind}/sim-F9")
    assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")
    for key, code, status in (
        ("of_" + "x" * 49, 401, "UNAUTHENTICATED"),
        (gateway.narrow_key, 403, "PERMISSION_DENIED"),
    ):
        with pytest.raises(errors.ClientError) as refused:
            ask(made(gateway.url, key), False, MODELS[kind])
        assert (refused.value.code, refused.value.status) == (code, status)
    with pytest.raises(errors.ClientError, match="maxOutputTokens"):
        ask(client, False, MODELS[kind], config=types.GenerateContentConfig(max_output_tokens=0))
    with pytest.raises(Exception, match="(?i)refused|connect"):
        ask(made(f"http://127.0.0.1:{closed_port()}", gateway.key), False, MODELS[kind])
