"""Stability's first edition: pictures by SDXL, the engines, the balance; as documented (checked 2026-11-26)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.fields import VALUE as WRONG_VALUE
from oneflow_ai.simulator.fields import Path, Wrong, anything, integer, listed, number, one_of, record, text
from oneflow_ai.simulator.media.pictures import PNG, colour, picture
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires.stability import (
    FILTERED_MARK,
    SEED_MOST,
    StabilityManners,
    Unfit,
    moderated,
    named_problem,
)
from oneflow_ai.simulator.wires.wire import POOR_KEY, Problem, Surroundings

ENGINES = ("stable-diffusion-xl-1024-v1-0", "stable-diffusion-v1-6")
_CREDITS = 100.0
_PREFIX, _ACTION = "/v1/generation/", "/text-to-image"
_SIMULATED = "sim-"
_SIDE_STEP, _SIDE_DEFAULT = 64, 1_024
_SEED_DEFAULT = 1_050_625_087
# What this edition calls its money problem, and the others that it words in its own way.
_NAMES = {402: "insufficient_balance", 403: "invalid_prompts", 422: "invalid_prompts"}


def _side(value: Any, path: Path) -> None:
    """A multiple of 64."""
    integer(128, 1_536)(value, path)
    if value % _SIDE_STEP:
        raise Wrong(path, WRONG_VALUE, f"a multiple of {_SIDE_STEP}")


def _place(path: str) -> str:
    return path.partition(_PREFIX)[2].removesuffix(_ACTION)


_CHECK = record(
    {
        "text_prompts": listed(record({"text": text(1, 2_000), "weight": number()}, required=("text",)), 1, 10),
        "height": _side,
        "width": _side,
        "cfg_scale": number(0, 35),
        "clip_guidance_preset": text(),
        "sampler": text(),
        "samples": integer(1, 10),
        "seed": integer(0, SEED_MOST),
        "steps": integer(10, 150),
        "style_preset": text(),
        "extras": anything,
    },
    required=("text_prompts",),
)
_ACCEPTED = one_of("application/json", "image/png")


class StabilityV1Wire(StabilityManners):
    """`/v1/generation/{engine}/text-to-image`, `/v1/engines/list`, `/v1/user/balance`."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether the path is one of the first edition."""
        return _PREFIX in request.path or request.path.endswith(("/v1/engines/list", "/v1/user/balance"))

    def model(self, request: Request) -> str:
        """The engine in the path."""
        return unquote(_place(request.path))

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        return self.made(request, around, lambda: _answer(request, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        return _shown({"text_prompts": [{"text": "A picture that somebody else asked for"}]}, False)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"id", "name", "message"}`."""
        status = 402 if problem.kind == "insufficient_quota" else problem.status
        name, words = named_problem(status)
        name = _NAMES.get(status, name)
        if status == problem.status and problem.message:
            words = problem.message
        body = {"id": around.unique.lower(), "name": name, "message": words}
        return Answer(status, orjson.dumps(body), headers=problem.waits)


def _answer(request: Request, around: Surroundings) -> Answer:
    poor = request.credential.startswith(POOR_KEY)
    if _PREFIX not in request.path:
        if request.method != "GET":
            raise Unfit(Problem(405))
        if request.path.endswith("/balance"):
            return Answer(body=orjson.dumps({"credits": 0.0 if poor else _CREDITS}))
        return Answer(body=orjson.dumps([_engine(each) for each in ENGINES]))
    engine = unquote(_place(request.path))
    if not request.path.endswith(_ACTION) or request.method != "POST":
        raise Unfit(Problem(404))
    if engine not in ENGINES and not engine.startswith(_SIMULATED):
        raise Unfit(Problem(404, f"The specified engine (ID {engine}) was not found."))
    document = request.document if request.body else None
    if not isinstance(document, dict):
        raise Unfit(Problem(400, "body: is not valid JSON"))
    accepted = request.header(b"accept") or "application/json"
    if accepted != "*/*":
        _ACCEPTED(accepted.partition(",")[0].strip(), ("accept",))
    _CHECK(document, ())
    moderated(" ".join([each["text"] for each in document["text_prompts"]]))
    if poor:
        raise Unfit(Problem(402))
    return _shown(document, accepted.startswith("image/png"))


def _engine(name: str) -> dict[str, str]:
    return {"description": "Stability-AI, simulated", "id": name, "name": name.replace("-", " "), "type": "PICTURE"}


def _shown(document: dict[str, Any], as_picture: bool) -> Answer:
    prompt = " ".join([each["text"] for each in document["text_prompts"]])
    reason = FILTERED_MARK if FILTERED_MARK in prompt else "SUCCESS"
    seed = document.get("seed") or _SEED_DEFAULT
    size = (document.get("width") or _SIDE_DEFAULT, document.get("height") or _SIDE_DEFAULT)
    samples = [
        (seed + number, picture(PNG, *size, colour(f"{prompt} {seed + number}")))
        for number in range(document.get("samples") or 1)
    ]
    if as_picture:
        told = (("finish-reason", reason), ("seed", str(seed)))
        return Answer(body=samples[0][1], media_type="image/png", headers=told)
    artifacts = [
        {"base64": base64.b64encode(content).decode("ascii"), "seed": each, "finishReason": reason}
        for each, content in samples
    ]
    return Answer(body=orjson.dumps({"artifacts": artifacts}))
