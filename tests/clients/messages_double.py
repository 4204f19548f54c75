"""A provider on Anthropic's wire, as small as can be, on a loopback port: what it answers goes by what it is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"input_tokens": 12, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0, "output_tokens": 9}
CALLS = [
    {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"city": "Oslo"}},
    {"type": "tool_use", "id": "toolu_b", "name": "get_weather", "input": {"city": "Ulm"}},
]
# A prompt that holds the word gets this answer: status, type, message.
ERRORS = {
    "refuse": (400, "invalid_request_error", "messages.0: wrong"),
    "lock": (401, "authentication_error", "invalid x-api-key"),
    "lose": (404, "not_found_error", "model: claude-haiku-5-5"),
    "hurry": (429, "rate_limit_error", "too many"),
    "overload": (529, "overloaded_error", "Overloaded"),
}


class Double:
    """The provider; `requests` lists what reached it: path, headers (lower case) and body."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []


@contextmanager
def provider() -> Iterator[Double]:
    """A running one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    double = Double(server.server_address[1])
    server.double = double  # type: ignore[attr-defined]  # the handler's way to it
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): text for name, text in self.headers.items()}
        self.server.double.requests.append((self.path, headers, body))  # type: ignore[attr-defined]  # ours
        asked = json.dumps(body["messages"][-1])
        refusal = next((found for word, found in ERRORS.items() if word in asked), None)
        if refusal is not None:
            status, kind, words = refusal
            self._tell(status, {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_theirs"})
        elif self.path.endswith("/count_tokens"):
            self._tell(200, {"input_tokens": 42})
        elif body.get("stream"):
            self._stream(body, broken="break" in asked)
        else:
            self._tell(200, _message(body))

    def _tell(self, status: int, found: dict[str, Any]) -> None:
        self._write(status, "application/json", json.dumps(found).encode())

    def _stream(self, body: dict[str, Any], *, broken: bool) -> None:
        events = list(_events(_message(body)))
        if broken:
            events = [*events[:4], {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
        written = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n" for event in events)
        self._write(200, "text/event-stream", written.encode())

    def _write(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _message(body: dict[str, Any]) -> dict[str, Any]:
    content = _content(body)
    reason = "tool_use" if content[-1]["type"] == "tool_use" else "end_turn"
    return {
        "id": "msg_theirs",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": USAGE,
    }


def _content(body: dict[str, Any]) -> list[dict[str, Any]]:
    last = body["messages"][-1]["content"]
    blocks = last if isinstance(last, list) else [{"type": "text", "text": last}]
    text = " ".join(block["text"] for block in blocks if block["type"] == "text")
    results = [block for block in blocks if block["type"] == "tool_result"]
    found: list[dict[str, Any]] = []
    if body.get("thinking", {}).get("type") == "adaptive":
        found.append({"type": "thinking", "thinking": "Let me see.", "signature": "EqQBsigned"})
    if body.get("tools") and not results:
        return [*found, {"type": "text", "text": "I look."}, *CALLS]
    if body.get("output_config", {}).get("format"):
        return [*found, {"type": "text", "text": '{"city": "Ulm", "population": 126000}'}]
    if results:
        text = " and ".join(str(block["content"]) for block in results)
    if any(block["type"] == "image" for block in blocks):
        text = "a picture"
    return [*found, {"type": "text", "text": f"You said: {text}"}]


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start = {**message, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = _pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            words = [{"type": "text_delta", "text": piece} for piece in (block["text"][:3], block["text"][3:])]
            return {**block, "text": ""}, words
        case "thinking":
            thought = {"type": "thinking_delta", "thinking": block["thinking"]}
            return {**block, "thinking": "", "signature": ""}, [
                thought,
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        case _:
            written = json.dumps(block["input"])
            pieces = ("", written[:4], written[4:])
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
