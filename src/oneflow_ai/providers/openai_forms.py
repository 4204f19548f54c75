"""Requests of OpenAI's wire that are sent as forms: their files are read as they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oneflow_ai.core.call import Call
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.order import ImageOrder, TranscriptOrder, Upload
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.providers import openai_images
from oneflow_ai.providers.form import FormBody

# Other wires go higher.
TEMPERATURE_MOST = 1.0
# Languages by two letters, which alone are taken here (ISO 639-1), by the three that others use (ISO 639-3): those that
# the models are said to know (platform.openai.com/docs/guides/speech-to-text, supported languages, 2026-11-23).
_LANGUAGES: Mapping[str, str] = {
    "afr": "af", "ara": "ar", "aze": "az", "bel": "be", "bos": "bs", "bul": "bg", "cat": "ca", "ces": "cs",
    "cmn": "zh", "cym": "cy", "dan": "da", "deu": "de", "ell": "el", "eng": "en", "est": "et", "fas": "fa",
    "fin": "fi", "fra": "fr", "glg": "gl", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "hye": "hy",
    "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kan": "kn", "kaz": "kk", "kor": "ko", "lav": "lv",
    "lit": "lt", "mar": "mr", "mkd": "mk", "mri": "mi", "msa": "ms", "nep": "ne", "nld": "nl", "nor": "no",
    "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru", "slk": "sk", "slv": "sl", "spa": "es", "srp": "sr",
    "swa": "sw", "swe": "sv", "tam": "ta", "tgl": "tl", "tha": "th", "tur": "tr", "ukr": "uk", "urd": "ur",
    "vie": "vi", "zho": "zh",
}  # fmt: skip


def request(call: Call, target: Target, url: str) -> HttpRequest:
    """The form as it was sent, but for the model's name; unknown fields are kept, in their order."""
    assert call.form is not None
    # Nobody knew a call's id when the form was written: no file of it holds this.
    body = FormBody(f"oneflow-{call.id}", _fields(call, target.model), call.form.files)
    return _sent(body, target, url, ())


def changed(call: Call, order: ImageOrder, target: Target, url: str) -> HttpRequest:
    """The form that has pictures changed for a client of another wire; raises `Failure` for what has no place in it."""
    asked, dropped = openai_images.body_of(order, target.model)
    fields = [("model", target.model), *((name, str(value)) for name, value in asked.items())]
    return _sent(FormBody(f"oneflow-{call.id}", fields, openai_images.files_of(order)), target, url, dropped)


def written(call: Call, order: TranscriptOrder, target: Target, url: str) -> HttpRequest:
    """The form that asks for a transcript of another wire; raises `Failure` for what has no place in it."""
    if order.further:
        raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for this field", param=order.further[0])
    fields = [("model", target.model), ("response_format", order.format)]
    fields += [("language", _LANGUAGES.get(order.language, order.language))] if order.language else []
    changed: tuple[str, ...] = ()
    if order.temperature is not None:
        fields.append(("temperature", f"{min(order.temperature, TEMPERATURE_MOST):g}"))
        changed = ("temperature",) if order.temperature > TEMPERATURE_MOST else ()
    files: list[tuple[str, Upload]] = [("file", order.audio)]
    return _sent(FormBody(f"oneflow-{call.id}", fields, files), target, url, (*changed, *order.minor))


def _sent(body: FormBody, target: Target, url: str, dropped: tuple[str, ...]) -> HttpRequest:
    headers = tuple((name, value) for name, value in target.headers if name != "content-type")
    headers = (("content-type", body.content_type), *headers)
    return HttpRequest("POST", url, headers, b"", target.timeouts, target.way, dropped, large=body)


def _fields(call: Call, model: str) -> Iterator[tuple[str, str]]:
    assert call.form is not None
    yield "model", model
    for name, value in call.form.fields:
        if name != "model" and name.removesuffix("[]") not in CHAIN_FIELDS:
            yield name, value
