"""Makes docs/reference/translation.md: what becomes of each thing a client may ask for, at each provider's models.

Run as `python -m tools.build_translations`. What is asked for stands in `tools/translations/DIALECT.json`, written as
that dialect's clients write it; what becomes of it is found by asking the dialects and the adapters themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from oneflow_ai.catalog import Catalog, load_catalog
from oneflow_ai.core.abilities import FEATURES
from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.target import RetryPolicy, Secret, Target
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.table import DIALECTS, NAMED_PATHS, PATHS, Dialect, spoken_at
from oneflow_ai.policy.compile import compile_snapshot
from oneflow_ai.policy.rows import ProviderRow, Rows
from oneflow_ai.providers.table import TABLE

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "translation.md"
ASKED = Path(__file__).with_name("translations")
AT = datetime(2026, 11, 26, tzinfo=UTC)
ADDRESS = "http://127.0.0.1:9/v1"
KEPT, DROPPED, REFUSED, PASSED = "kept", "drop", "400", "="
# A field that no wire has: where it reaches the provider, the body passes as it is.
STRANGE = "a_field_of_nobody"
# What stands in an address that holds a name.
NAMES = {"model": "m", "voice": "v"}
HEAD = """\
# Translation

What becomes of each thing that a client may ask for, by the dialect it speaks and the provider whose model answers.
Made from the code by `python -m tools.build_translations`; a test holds the two together.

| mark | meaning |
| --- | --- |
| `=` | the dialect is the provider's own: the body passes as it is, and the provider has the last word |
| kept | asked of the provider in its own words |
| drop | left out, since the answer is nearly the same without it; named in the header `x-oneflow-dropped` |
| 400 | refused with `unsupported_parameter`, naming the field; in a chain of targets the next is asked |
| kept, drop | it depends on the model |

Not every chat for a model of OpenAI's, or of Azure's at an address that ends in `/openai/v1`, passes as it is: one for
a model that Responses alone has, or with functions for a model that calls none in a chat, is written anew for
Responses, as for another wire. What the two wires share arrives as it is ([HTTP](http-api.md)).

What depends on the model may depend on how it is asked too: OpenAI's models take `temperature`, `top_p`, penalties,
`stop`, `logit_bias` and `logprobs` while they do not reason, which GPT-5.1, 5.2 and 5.4 do only when told to, and
others unless they are told `none`, where they know that. An effort that a model does not know is sent as the nearest
that it knows, less rather than more; one that becomes less is named in `x-oneflow-dropped`, as is `none` where the
model cannot but reason.

What is kept may still be more than a provider takes at once, such as stop sequences: that is refused too.

A schema is enforced by the target where it can be. Anthropic's and Gemini's clients have it enforced on their own
wires, so OpenAI, Azure and OpenRouter are told that it is strict. Objects are closed to keys that the schema does not
name, and at OpenAI an answer has every property that it may have. What the target does not enforce (lengths and bounds
for Claude, lengths for OpenAI) goes into the description, where the model reads it. What cannot be enforced at all
(free keys; for Claude a schema that leads back to itself) is sent as it is, or is a 400 for Claude, which knows no
other way, as is for OpenAI an answer that is not one object. Strict tools are treated the same, but that those with
properties which may be missing, and not null, are not strict at OpenAI, and that Claude takes 20 of them in a request,
with 24 properties that may be missing and 16 unions; without strictness a tool keeps its schema. In each case the field
is named in `x-oneflow-dropped`. Other servers of OpenAI's wire get a schema as it is, and `strict` where the client
says it: Mistral and Groq enforce it only then.

A tool's name that the target's wire does not take (OpenAI's servers and Bedrock take 64 letters, digits, `_` and `-`,
Anthropic 128 of them; Gemini's clients write `.` and `:` too) is sent as one that it takes: shortened, with `_` for
what is odd and a hash of the whole name at its end, the same in every turn. The client is given its own name back.
"""


def page() -> str:
    """The whole page."""
    catalog = load_catalog()
    targets = {kind: tuple(_targets(kind, catalog)) for kind in answering()}
    return HEAD + "".join(_section(DIALECTS[name], targets) for name in chatting())


def chatting() -> list[str]:
    """The dialects in which chats are asked for."""
    return [name for name, dialect in DIALECTS.items() if _addresses(dialect)]


def answering() -> list[str]:
    """The kinds of provider that answer chats."""
    return [kind for kind, row in TABLE.items() if Task.TEXT in row.tasks]


def asked(name: str) -> dict[str, dict[str, Any]]:
    """What is asked for in a dialect: a body to begin with, and what each feature and each further field adds to it."""
    file = ASKED / f"{name}.json"
    if not file.exists():
        raise ValueError(f"write {file.relative_to(ROOT)}: how clients of this dialect ask for each feature")
    found: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def call_of(dialect: Dialect, body: Mapping[str, Any]) -> Call:
    """The call of a chat in a dialect; raises `Failure` for what is bad input there."""
    path = _addresses(dialect)[0].format(**NAMES).encode()
    envelope = Envelope("req_1", Account("key"), Operation.CHAT, AT, 0.0, 600.0, path=path)
    return dialect.parse(orjson.dumps(body), envelope)


def _section(dialect: Dialect, targets: Mapping[str, tuple[Target, ...]]) -> str:
    found = asked(dialect.DIALECT)
    base, features = found["base"], found["features"]
    kinds = "".join(f" {kind} |" for kind in targets)
    title = ", ".join(f"`{path}`" for path in _addresses(dialect))
    lines = [f"\n## {title}\n", f"| asked for |{kinds}", f"| --- |{' --- |' * len(targets)}"]
    for name in FEATURES:
        if name in features:
            call = call_of(dialect, {**base, **features[name]})
            if not FEATURES[name][1](call.prompt()):
                raise ValueError(f"{dialect.DIALECT}.json: what is asked for is not {name}")
            lines.append(f"| {name} |{_cells(call, targets)}")
    for name, fields in found["fields"].items():
        try:
            cells = _cells(call_of(dialect, {**base, **fields}), targets)
        except Failure:
            # Refused before it is known who is to be asked.
            cells = f" {REFUSED} |" * len(targets)
        lines.append(f"| {name} |{cells}")
    never = [name for name in FEATURES if name not in features]
    if never:
        lines.append(f"\nThere is no way to ask for these in this dialect: {', '.join(never)}.")
    return "\n".join(lines) + "\n"


def _addresses(dialect: Dialect) -> list[str]:
    """Where a dialect's clients ask for chats, as the addresses are written down."""
    paths = [*(path.decode() for path in PATHS), *NAMED_PATHS]
    return [path for path in paths if spoken_at(path.format(**NAMES).encode()) == (dialect, Operation.CHAT)]


def _cells(call: Call, targets: Mapping[str, tuple[Target, ...]]) -> str:
    prompt = call.prompt()
    call = replace(call, read=lambda body: prompt)
    return "".join(f" {', '.join(dict.fromkeys(_outcomes(call, places)))} |" for places in targets.values())


def _outcomes(call: Call, places: tuple[Target, ...]) -> list[str]:
    """What becomes of it, over the provider's models, the best first."""
    found = {_outcome(call, places[0])}
    if PASSED not in found:
        found |= {_outcome(call, target) for target in places[1:]}
    return [each for each in (PASSED, KEPT, DROPPED, REFUSED) if each in found]


def _outcome(call: Call, target: Target) -> str:
    try:
        request = target.adapter.request(call, target)
    except Failure:
        return REFUSED
    if request.dropped:
        return DROPPED
    if call.wire and STRANGE not in call.body:
        strange = replace(call, body={**call.body, STRANGE: 1})
        if STRANGE.encode() in target.adapter.request(strange, target).body:
            return PASSED
    return KEPT


def _targets(kind: str, catalog: Catalog) -> Iterator[Target]:
    """A target for each model of text that a kind of provider has."""
    address = TABLE[kind].base_url or ADDRESS
    provider = ProviderRow(kind, kind, address, kind, secrets=(Secret("key"),))
    rows = Rows([provider], [], {}, RetryPolicy(), {}, follow_successors=False, version="1", on=AT.date())
    made = compile_snapshot(rows, TABLE, catalog).providers[kind]
    models = [model for model in sorted(made.listed) if Task.TEXT in catalog.tasks(model)]
    for model in models or ["a-model"]:
        yield from made.targets(model)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
