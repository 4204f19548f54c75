"""The parts of a message on OpenAI's wire, read into the middle form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_MESSAGES, Failure
from oneflow_ai.core.prompt import Audio, Document, Image, Part, Reasoning, Refusal, Text

CACHE_LIFETIMES = ("5m", "1h")
_MEDIA_TYPES = {"image/jpg": "image/jpeg"}
# What a file's name tells of its kind, where its base64 comes without.
_ENDINGS = {
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
    "json": "application/json",
}  # fmt: skip


def part_of(part: Mapping[str, Any], param: str) -> Part | str:
    """One part; or the name of what the middle form has no place for. Raises `Failure` for what cannot be read."""
    read = _PARTS.get(part["type"])
    return param if read is None else read(part, param)


def cache_of(found: Mapping[str, Any], param: str) -> str:
    """How long all up to here is to be kept in a cache: `5m`, `1h`, or empty.

    `cache_control` is what clients of gateways send; OpenAI's own breakpoint has one lifetime for the whole request.
    """
    mark = found.get("cache_control")
    if mark is not None and not isinstance(mark, dict):
        raise _wrong(f"{param}.cache_control", "cache_control is an object")
    if mark:
        return mark["ttl"] if mark.get("ttl") in CACHE_LIFETIMES else CACHE_LIFETIMES[0]
    return CACHE_LIFETIMES[0] if found.get("prompt_cache_breakpoint") else ""


def split_data(url: str) -> tuple[str, str]:
    """The media type and the base64 of a `data:` URL."""
    head, _, data = url.partition(",")
    media_type = head[len("data:") :].partition(";")[0].lower()
    return _MEDIA_TYPES.get(media_type, media_type), data.replace("\n", "").replace("\r", "")


def _text(part: Mapping[str, Any], param: str) -> Part:
    return Text(_word(part.get("text"), f"{param}.text"), cache_of(part, param))


def _image(part: Mapping[str, Any], param: str) -> Part:
    image = part.get("image_url")
    found = image if isinstance(image, dict) else {"url": image}
    url, detail = _word(found.get("url"), f"{param}.image_url"), found.get("detail")
    return picture_of(url, detail if isinstance(detail, str) else "", cache_of(part, param))


def picture_of(url: str, detail: str, cache: str) -> Image:
    """A picture by its address, which may be a `data:` URL."""
    if url[:5].lower() != "data:":
        return Image(url=url, detail=detail, cache=cache)
    media_type, data = split_data(url)
    return Image(data=data, media_type=media_type, detail=detail, cache=cache)


def _audio(part: Mapping[str, Any], param: str) -> Part:
    found = _object(part.get("input_audio"), f"{param}.input_audio")
    return Audio(
        _word(found.get("data"), f"{param}.input_audio.data"),
        _word(found.get("format"), f"{param}.input_audio.format"),
    )


def _file(part: Mapping[str, Any], param: str) -> Part:
    found, cache = _object(part.get("file"), f"{param}.file"), cache_of(part, param)
    if found.get("file_id"):
        return Document(id=_word(found["file_id"], f"{param}.file.file_id"), cache=cache)
    content, name = _word(found.get("file_data"), f"{param}.file.file_data"), found.get("filename")
    name = name if isinstance(name, str) else ""
    if content[:8].lower().startswith(("https://", "http://")):
        return Document(url=content, name=name, cache=cache)
    return document_of(content, name, cache)


def ids_of_files(messages: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Where messages that were read have files which lie with one provider, and whose the messages are."""
    for place, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if part["type"] == "file" and part["file"].get("file_id"):
                yield f"messages[{place}].content[{number}].file.file_id", message["role"]


def document_of(content: str, name: str, cache: str) -> Document:
    """A file by its content: base64, or a `data:` URL of it."""
    media_type, data = split_data(content) if content[:5].lower() == "data:" else ("", content)
    media_type = media_type or _ENDINGS.get(name.rpartition(".")[2].lower(), "application/pdf")
    return Document(data=data, media_type=media_type, name=name, cache=cache)


def _refusal(part: Mapping[str, Any], param: str) -> Part:
    return Refusal(_word(part.get("refusal"), f"{param}.refusal"))


def _thinking(part: Mapping[str, Any], param: str) -> Part:
    """Reasoning as a part, as Mistral's models send it (docs.mistral.ai, reasoning, 2026-11-26)."""
    del param
    thinking = part.get("thinking")
    if isinstance(thinking, list):
        thinking = "".join(piece["text"] for piece in thinking if _has_text(piece))
    return Reasoning(thinking if isinstance(thinking, str) else "")


_PARTS: Mapping[str, Callable[[Mapping[str, Any], str], Part | str]] = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "refusal": _refusal,
    "thinking": _thinking,
}


def _has_text(piece: Any) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("text"), str)


def _word(value: Any, param: str) -> str:
    if not isinstance(value, str):
        raise _wrong(param, "this is a text")
    return value


def _object(value: Any, param: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(param, "this is an object")
    return value


def _wrong(param: str, words: str) -> Failure:
    return Failure(INVALID_MESSAGES, words, param=param)
