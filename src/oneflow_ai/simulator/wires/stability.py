"""Stability's pictures by its second edition: core, ultra and sd3, asked by forms (as documented on 2026-11-26)."""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from zlib import crc32

import orjson

from oneflow_ai.simulator.answer import Answer, Headers
from oneflow_ai.simulator.fields import MISSING, UNKNOWN, Check, Wrong, dotted, integer, number, one_of, record, text
from oneflow_ai.simulator.form import NUMBER, WHOLE, typed
from oneflow_ai.simulator.limits import CONCURRENCY, LimitState, Refusal
from oneflow_ai.simulator.media.pictures import FORMATS, colour, kind_of, picture
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires.events import Editable
from oneflow_ai.simulator.wires.moderations import flagged
from oneflow_ai.simulator.wires.wire import BAD_KEY, POOR_KEY, Problem, Surroundings

FILTERED_MARK = "CONTENT_FILTERED"
"""What a prompt has in it whose picture is to be filtered."""

BODY_BYTES_MOST = 10 << 20
SEED_MOST = 4_294_967_294
_PREFIX = "/v2beta/stable-image/generate/"
_PROMPT_MOST = 10_000
_SIDE_STEP = 32
# Width and height of a picture of one megapixel; core's have half as much again.
_SIZES = {
    "16:9": (1_344, 768),
    "1:1": (1_024, 1_024),
    "21:9": (1_536, 640),
    "2:3": (832, 1_216),
    "3:2": (1_216, 832),
    "4:5": (896, 1_088),
    "5:4": (1_088, 896),
    "9:16": (768, 1_344),
    "9:21": (640, 1_536),
}
_CORE_SCALE = 1.5**0.5
_STYLES = (
    *("3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art"),
    *("isometric", "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art"),
    "tile-texture",
)
_MODELS = (
    *("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash"),
    *("sd3-large", "sd3-large-turbo", "sd3-medium"),
)
_OTHER_SCRIPTS = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
_SIMULATED = "sim-"

_COMMON: Mapping[str, Check] = {
    "prompt": text(1, _PROMPT_MOST),
    "negative_prompt": text(0, _PROMPT_MOST),
    "aspect_ratio": one_of(*_SIZES),
    "seed": integer(0, SEED_MOST),
    "style_preset": one_of(*_STYLES),
    "output_format": one_of(*FORMATS),
}
_STRENGTH = {"strength": number(0, 1)}
_SD3 = {
    "model": text(1),
    "mode": one_of("text-to-image", "image-to-image"),
    "output_format": one_of("jpeg", "png"),
    "cfg_scale": number(1, 10),
}
_CHECKS: Mapping[str, Check] = {
    "core": record(_COMMON, required=("prompt",)),
    "ultra": record({**_COMMON, **_STRENGTH}, required=("prompt",)),
    "sd3": record({**_COMMON, **_STRENGTH, **_SD3}, required=("prompt",)),
}
_KINDS: Mapping[str, Callable[[str], Any]] = {"seed": WHOLE, "strength": NUMBER, "cfg_scale": NUMBER}

# By status: the name of the error and what it says.
_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "body: is invalid"),
    401: ("unauthorized", "authorization: invalid or missing header value"),
    402: (
        "payment_required",
        (
            "You lack sufficient credits to make this request. Please purchase more credits at "
            "https://platform.stability.ai/account/credits and try again."
        ),
    ),
    403: (
        "content_moderation",
        (
            "Your request was flagged by our content moderation system, as a result your request was denied and you "
            "were not charged."
        ),
    ),
    404: ("not_found", "The requested resource was not found."),
    405: ("method_not_allowed", "The method is not allowed here."),
    413: ("payload_too_large", "body: payloads cannot be larger than 10MiB in size"),
    422: ("invalid_language", "English is the only supported language for this service."),
    429: (
        "rate_limit_exceeded",
        (
            "You have exceeded the rate limit of 150 requests within a 10 second period, and have been timed out for "
            "60 seconds."
        ),
    ),
    500: ("internal_error", "An unexpected server error has occurred, please try again later."),
    503: ("service_unavailable", "The service is temporarily unavailable, please try again later."),
}
_MONEY = "insufficient_quota"


class Unfit(Exception):
    """A request that Stability refuses: the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class StabilityManners(Editable, ABC):
    """What both editions share: credentials, and that there are neither headers of limits nor streams."""

    __slots__ = ()

    def made(self, request: Request, around: Surroundings, make: Callable[[], Answer]) -> Answer:
        """The answer that is made, or the error that comes before it or out of it."""
        if not request.credential or request.credential.startswith(BAD_KEY):
            refused = self.failure(Problem(401), around)
            return Answer(refused.status, refused.body, barred=True)
        try:
            return make()
        except Unfit as error:
            return self.failure(error.problem, around)
        except Wrong as wrong:
            return self.failure(Problem(400, said(wrong)), around)

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """None: this wire tells of no limits and gives no id."""
        return ()

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A 429, which never says when to come back."""
        if refusal.scope == CONCURRENCY:
            return self.failure(Problem(429, f"Too many requests at a time: at most {refusal.limit}."), around)
        return self.failure(Problem(429), around)

    @abstractmethod
    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """The answer that reports an error."""

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """Nothing: there are no streams."""
        return b""

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """Nothing: there are no streams."""
        return b""

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """None: no unusual forms are known."""
        return None


class StabilityWire(StabilityManners):
    """`/v2beta/stable-image/generate/{core,ultra,sd3}`."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether the path is one of the second edition."""
        return "/v2beta/" in request.path and "/stable-image/" in request.path

    def model(self, request: Request) -> str:
        """The form's `model`, else what the path ends in."""
        told = request.document if request.form is not None else None
        named = told.get("model") if isinstance(told, dict) else None
        return named if isinstance(named, str) and named else unquote(request.path.rpartition("/")[2])

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        return self.made(request, around, lambda: _answer(request, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        return _shown(_asked("core", {"prompt": "A picture that somebody else asked for"}), False)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"id", "name", "errors": [...]}`."""
        status = 402 if problem.kind == _MONEY else problem.status
        name, words = named_problem(status)
        if status == problem.status and problem.message:
            words, name = problem.message, problem.kind or name
        body = {"id": around.unique.lower().ljust(32, "0")[:32], "name": name, "errors": [words]}
        return Answer(status, orjson.dumps(body), headers=problem.waits)


def named_problem(status: int) -> tuple[str, str]:
    """The name and the words that go with a status."""
    return _PROBLEMS.get(status) or _PROBLEMS[500 if status >= 500 else 400]


def said(wrong: Wrong) -> str:
    """What is wrong with a field, in Stability's words."""
    words = {MISSING: "is required", UNKNOWN: "is not allowed"}.get(wrong.sort, f"must be {wrong.expected}")
    return f"{dotted(wrong.path)}: {words}"


def moderated(words: str) -> None:
    """Raise `Unfit` for a prompt that is flagged, or not in English."""
    if flagged(words):
        raise Unfit(Problem(403))
    if _OTHER_SCRIPTS.search(words):
        raise Unfit(Problem(422))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, its defaults filled in."""

    prompt: str
    form: str
    width: int
    height: int
    seed: int

    @property
    def reason(self) -> str:
        return FILTERED_MARK if FILTERED_MARK in self.prompt else "SUCCESS"


def _answer(request: Request, around: Surroundings) -> Answer:
    service = unquote(request.path.partition(_PREFIX)[2])
    # a name that asks for a fault stands for the simplest service
    check = _CHECKS.get("core" if service.startswith(_SIMULATED) else service)
    if check is None:
        raise Unfit(Problem(404))
    if request.method != "POST":
        raise Unfit(Problem(405))
    if request.body_bytes > (around.file_bytes_most or BODY_BYTES_MOST):
        raise Unfit(Problem(413))
    if request.form is None:
        raise Unfit(Problem(400, "content-type: must be multipart/form-data"))
    if not request.form.whole:
        raise Unfit(Problem(400, "body: is not a valid multipart form"))
    document = typed({name: value for name, value in request.form.document.items() if value != ""}, _KINDS)
    as_json = _as_json(request)
    check(document, ())
    _check_image(request, service, document)
    _check_model(document.get("model"), around)
    moderated(f"{document['prompt']} {document.get('negative_prompt', '')}")
    if request.credential.startswith(POOR_KEY):
        raise Unfit(Problem(402))
    return _shown(_asked(service, document), as_json)


def _as_json(request: Request) -> bool:
    accepted = request.header(b"accept") or "*/*"
    if "application/json" in accepted:
        return True
    if "image/*" not in accepted and "*/*" not in accepted:
        raise Unfit(Problem(400, "accept: must be one of 'image/*' or 'application/json'"))
    return False


def _check_model(model: str | None, around: Surroundings) -> None:
    if model is not None and model not in _MODELS and not (_SIMULATED in model and around.knows(model, _MODELS)):
        raise Unfit(Problem(400, f"model: must be one of {', '.join(_MODELS)}"))


def _check_image(request: Request, service: str, document: Mapping[str, Any]) -> None:
    """Refuse a picture where none may come, none where one must come, and what is no picture."""
    # clients that must send a form without a file send an empty one
    sent = [each for each in request.form.parts if each.is_file and each.size_bytes] if request.form else []
    files = [each for each in sent if each.name == "image" and service in ("ultra", "sd3")]
    if unknown := [each.name for each in sent if each not in files]:
        raise Unfit(Problem(400, f"{unknown[0]}: is not allowed"))
    changing = document.get("mode") == "image-to-image" if service == "sd3" else bool(files)
    if changing and not files:
        raise Unfit(Problem(400, "image: is required"))
    if changing and "strength" not in document:
        raise Unfit(Problem(400, "strength: is required"))
    if files and not changing:
        raise Unfit(Problem(400, "image: is not allowed"))
    if any(not kind_of(each.beginning) for each in files):
        raise Unfit(Problem(400, "image: must be a valid image in a supported format"))


def _asked(service: str, document: Mapping[str, Any]) -> _Asked:
    width, height = _SIZES[document.get("aspect_ratio") or "1:1"]
    if service not in ("ultra", "sd3"):
        width, height = (round(side * _CORE_SCALE / _SIDE_STEP) * _SIDE_STEP for side in (width, height))
    prompt = document["prompt"]
    seed = document.get("seed") or crc32(prompt.encode("utf-8", "replace")) % SEED_MOST + 1
    return _Asked(prompt, document.get("output_format") or FORMATS[0], width, height, seed)


def _shown(asked: _Asked, as_json: bool) -> Answer:
    media_type = f"image/{asked.form}"
    content = picture(asked.form, asked.width, asked.height, colour(f"{asked.prompt} {asked.seed}"))
    if as_json:
        body = {
            "image": base64.b64encode(content).decode("ascii"),
            "finish_reason": asked.reason,
            "seed": asked.seed,
        }
        return Answer(body=orjson.dumps(body), media_type=f"application/json; type={media_type}")
    told = (("finish-reason", asked.reason), ("seed", str(asked.seed)))
    return Answer(body=content, media_type=media_type, headers=told)
