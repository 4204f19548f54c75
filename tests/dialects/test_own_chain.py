"""A body that names its own chain: it stands alone where the body names no model beside it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import INVALID_TYPE, MISSING_REQUIRED_PARAMETER, Failure
from oneflow_ai.core.form import Form
from oneflow_ai.dialects.table import FORMS, spoken_at
from tests.wire.requests import envelope
from tests.wire.spoken import AUDIO

MESSAGES = [{"role": "user", "content": "Bees"}]
NAMED = {"/v1/text-to-speech/alloy": "model_id", "/v1/speech-to-text": "model_id"}
JSON: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "Bees"},
    "/v1/responses": {"input": "Bees"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 9},
    "/v1/embeddings": {"input": "Bees"},
    "/v1/moderations": {"input": "Bees"},
    "/v1/images/generations": {"prompt": "Bees"},
    "/v1/audio/speech": {"input": "Bees", "voice": "alloy"},
    "/v1/text-to-speech/alloy": {"text": "Bees"},
}
# What each address asks for where a request names neither a model nor a chain.
USUAL = {
    "/v1/moderations": "moderation",
    "/v1/images/generations": "image",
    "/v1/text-to-speech/alloy": "speech",
    "/v1/images/edits": "image",
    "/v1/audio/transcriptions": "transcription",
    "/v1/audio/translations": "transcription",
    "/v1/speech-to-text": "transcription",
}


def asked(path: str, **fields: Any) -> Call:
    """The call of a request at an address, as JSON or as a form."""
    spoken = spoken_at(path.encode())
    assert spoken is not None
    around = replace(envelope(spoken[1]), path=path.encode())
    if path in JSON:
        return spoken[0].parse(json.dumps({**JSON[path], **fields}).encode(), around)
    form = FORMS[path.encode()].form
    assert form is not None
    texts = [("prompt", "Bees")]
    for name, value in fields.items():
        texts += [(f"{name}[]", one) for one in value] if isinstance(value, list) else [(name, value)]
    file = "image" if path == "/v1/images/edits" else "file"
    return form(Form(tuple(texts), ((file, AUDIO),)), around)


@pytest.mark.parametrize("path", [*JSON, *(path for path in USUAL if path not in JSON)])
@pytest.mark.parametrize("field", ["models", "fallbacks"])
def test_a_chain_stands_alone_where_no_model_is_named(path: str, field: str) -> None:
    assert asked(path, **{field: ["acme/one", "acme/two"]}).model == "acme/one"
    named = {NAMED.get(path, "model"): "acme/other"}
    assert asked(path, **named, **{field: ["acme/one"]}).model == "acme/other"


@pytest.mark.parametrize("path", [*JSON, *(path for path in USUAL if path not in JSON)])
def test_without_model_and_chain_an_address_has_its_own_or_none(path: str) -> None:
    if path in USUAL:
        assert asked(path).model == USUAL[path]
    else:
        with pytest.raises(Failure) as caught:
            asked(path)
        assert (caught.value.kind, caught.value.param) == (MISSING_REQUIRED_PARAMETER, "model")


@pytest.mark.parametrize("path", JSON)
def test_a_chain_that_is_no_list_is_told_as_such(path: str) -> None:
    with pytest.raises(Failure) as caught:
        asked(path, models="acme/one")
    assert (caught.value.kind, caught.value.param) == (INVALID_TYPE, "models")
