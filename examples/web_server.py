"""A web server: `GET /ask?q=...` gives a result, `GET /status` the figures; the port is its argument."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oneflow_ai import initialize_provider_manager

manager = initialize_provider_manager(use_real_api=True)


class Handler(BaseHTTPRequestHandler):
    """Answers each request on a thread of its own; all of them share the manager."""

    def do_GET(self) -> None:
        """Answer one request."""
        url = urlsplit(self.path)
        if url.path == "/status":
            self.reply(200, manager.get_metrics_summary())
        elif url.path == "/ask":
            prompt = parse_qs(url.query).get("q", [""])[0]
            result = manager.execute_with_fallback("text", prompt, max_tokens=100)
            self.reply(200 if result["status"] == "success" else 502, {**result, "data": None})
        else:
            self.reply(404, {"error": "ask /ask?q=..., or /status"})

    def reply(self, status: int, value: Any) -> None:
        """Send a value as JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8080), Handler)
print(f"http://127.0.0.1:{server.server_port}/ask?q=Hello", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    manager.close()
