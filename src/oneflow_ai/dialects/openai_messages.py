"""The rules for a chat's messages on OpenAI's wire."""

from __future__ import annotations

import ipaddress
from binascii import a2b_base64
from typing import Any
from urllib.parse import urlsplit

from oneflow_ai.core.failure import INVALID_IMAGE_URL, INVALID_MESSAGES, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.media import NO_MEDIA, Media

MESSAGES_MOST = 20_000
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
# Whose message needs no closer look where it is a text and calls nothing.
_PLAIN_ROLES = ("user", "assistant", "system", "developer")
_ASSISTANT_INSTEAD = ("tool_calls", "function_call", "refusal", "audio", "reasoning_content", "reasoning")
_CONTENT_PROBLEM = "a message's content is a text or a list of parts"
IMAGE_PIXELS_MOST = 1 << 28
_DATA_HEAD_CHARACTERS_MOST = 64
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# The lengths, but for whole groups of four, that base64 without and with padding cannot have.
_WRONG = ((1,), (1, 2, 3))
_DATA_IMAGES = frozenset(f"data:image/{name}" for name in ("png", "jpeg", "jpg", "webp", "gif"))
# Carrier-grade NAT, which `ipaddress` calls neither private nor global on 3.11, two clouds' metadata addresses, and the
# prefix under which IPv6 reaches any IPv4 address.
_FURTHER_PRIVATE = tuple(
    map(ipaddress.ip_network, ("100.64.0.0/10", "192.0.0.192/32", "168.63.129.16/32", "64:ff9b::/96"))
)


def check_messages(messages: Any) -> Media:
    """What a chat carries beside its text; raises `Failure` naming the first message that breaks a rule."""
    if type(messages) is not list:
        raise Failure(INVALID_MESSAGES, "messages is a list", param="messages")
    if not messages:
        raise Failure(INVALID_MESSAGES, "messages is empty", param="messages")
    if len(messages) > MESSAGES_MOST:
        raise Failure(TOO_MANY_ITEMS, f"messages holds at most {MESSAGES_MOST}", param="messages")
    for message in messages:
        if type(message) is not dict or type(message.get("content")) is not str or "tool_calls" in message:
            break
        if message.get("role") not in _PLAIN_ROLES:
            break
    else:
        return NO_MEDIA
    return _check_each(messages)


def _check_each(messages: list[Any]) -> Media:
    calls, media = _Calls(), Media()
    for place, message in enumerate(messages):
        problem = _problem(message, place, calls)
        if problem is not None:
            raise Failure(INVALID_MESSAGES, problem, param=f"messages[{place}]")
        content = message.get("content")
        if type(content) is list:
            _check_parts(content, place, media)
    if calls.unanswered:
        place = min(calls.unanswered.values())
        words = "each of tool_calls is answered by a tool's message after it"
        raise Failure(INVALID_MESSAGES, words, param=f"messages[{place}]")
    return media


class _Calls:
    """The tool calls of a conversation: all ids, and the place of those that wait for their tool's message."""

    __slots__ = ("made", "unanswered")

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.unanswered: dict[str, int] = {}


def _problem(message: Any, place: int, calls: _Calls) -> str | None:
    if type(message) is not dict:
        return "a message is an object"
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in _ROLES:
        return "a message's role is system, developer, user, assistant or tool"
    if role == "assistant":
        problem = _calls_problem(message, place, calls)
        if problem is None and content is None and not any(message.get(name) for name in _ASSISTANT_INSTEAD):
            problem = "an assistant's message has content or tool_calls"
        if problem is not None or content is None:
            return problem
    elif role == "tool":
        problem = _answer_problem(message, calls)
        if problem is not None:
            return problem
    elif content is None and role == "function":
        return None
    elif content == []:
        return _CONTENT_PROBLEM
    return None if type(content) is str or type(content) is list else _CONTENT_PROBLEM


def _calls_problem(message: dict[str, Any], place: int, calls: _Calls) -> str | None:
    made = message.get("tool_calls")
    if made is None:
        return None
    if type(made) is not list:
        return "tool_calls is a list"
    for call in made:
        if type(call) is not dict or type(call.get("id")) is not str:
            return "each of tool_calls is an object with an id"
        calls.made.add(call["id"])
        calls.unanswered[call["id"]] = place
    return None


def _answer_problem(message: dict[str, Any], calls: _Calls) -> str | None:
    call_id = message.get("tool_call_id")
    if type(call_id) is not str:
        return "a tool's message has a tool_call_id"
    if call_id not in calls.made:
        return "a tool's message answers a tool call of an earlier assistant message"
    calls.unanswered.pop(call_id, None)
    return None


def _check_parts(parts: list[Any], place: int, media: Media) -> None:
    for number, part in enumerate(parts):
        param = f"messages[{place}].content[{number}]"
        if type(part) is not dict or type(part.get("type")) is not str:
            raise Failure(INVALID_MESSAGES, "a content part is an object with a type", param=param)
        if part["type"] == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            check_image(url, param + ".image_url")
            media.add_picture(url)
        elif part["type"] == "file":
            media.files += _check_file(part.get("file"), param + ".file")
        elif part["type"] == "input_audio":
            sound = part.get("input_audio")
            data = sound.get("data") if isinstance(sound, dict) else None
            media.sound_bytes += len(data) if isinstance(data, str) else 0


def _check_file(file: Any, param: str) -> bool:
    """Whether a file stands elsewhere; one by its address, which some servers take, is as public as an image is."""
    content = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(content, str) or not content[:8].lower().startswith(("http://", "https://")):
        return not isinstance(content, str)
    check_address(content, f"{param}.file_data")
    return True


def check_address(url: Any, param: str) -> None:
    """Raise `Failure` for what is no public http(s) address of a file."""
    host = _host(url) if isinstance(url, str) else None
    if host is None or _is_private(host):
        raise Failure(INVALID_MESSAGES, "a file's address is public", param=param)


def check_image(url: Any, param: str) -> None:
    """Raise `Failure` for what is neither a public http(s) address nor a picture as a `data:` URL."""
    if type(url) is not str:
        raise Failure(INVALID_IMAGE_URL, "an image_url has a url", param=param)
    if url[:5].lower() == "data:":
        _check_data(url, param)
        return
    host = _host(url)
    if host is None:
        raise Failure(INVALID_IMAGE_URL, "an image is an http(s) address or a data: URL", param=param)
    if _is_private(host):
        raise Failure(INVALID_IMAGE_URL, "an image's address is public", param=param)


def _host(url: str) -> str | None:
    """The host of an http(s) address; None for anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https") or any(map(str.isspace, url)):
        return None
    return host.rstrip(".")


def _check_data(url: str, param: str) -> None:
    head, comma, _ = url[:_DATA_HEAD_CHARACTERS_MOST].partition(",")
    head = head.lower()
    if head.partition(";")[0] not in _DATA_IMAGES or not head.endswith(";base64") or not comma:
        raise Failure(INVALID_IMAGE_URL, "a data: image is PNG, JPEG, WebP or GIF in base64", param=param)
    content = url[len(head) + 1 :].encode("utf-8")
    if b"\n" in content:
        content = content.translate(None, b"\r\n")
    # What is left without the alphabet is the padding.
    padding = content.translate(None, _BASE64)
    if padding not in (b"", b"=", b"==") or not content.endswith(padding) or len(content) % 4 in _WRONG[bool(padding)]:
        raise Failure(INVALID_IMAGE_URL, "the data: image is not valid base64", param=param)
    if not content:
        raise Failure(INVALID_IMAGE_URL, "the data: image is empty", param=param)
    width, height = _size(a2b_base64(content[:32])) if len(content) >= 32 else (0, 0)
    if width * height > IMAGE_PIXELS_MOST:
        words = f"an image has at most {IMAGE_PIXELS_MOST} pixels"
        raise Failure(INVALID_IMAGE_URL, words, param=param, code="image_too_large")


def _size(head: bytes) -> tuple[int, int]:
    """Width and height in pixels of a PNG or a GIF, by its first 24 bytes; of others, nothing."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith(b"GIF8"):
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return 0, 0


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # 127.1, 2130706433 and 0x7f000001 are addresses to a resolver, though to no browser's eye.
        return host.replace(".", "").isdigit() or host.startswith("0x")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    further = any(address in network for network in _FURTHER_PRIVATE if network.version == address.version)
    return not address.is_global or further
