"""The guide to real providers: its editions say the same, and its commands, programs and codes do what it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from oneflow_ai import OneFlow, OneFlowError
from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.cli.configured import compiled, load_settings
from oneflow_ai.core.failure import KINDS
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.canaries import leaks_in_files, planted, unleaked
from tests.cli.place import SECONDS_MOST, Place, ended, first_line, serving
from tests.manager.world import FOUR, enter, variables
from tools.check_docs import Block, Page, take_apart

ROOT = Path(__file__).resolve().parents[2]
EDITIONS = ("real_api_guide.md", "real_api_guide.ru.md")
TEXTS = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in EDITIONS}
PAGES: Mapping[str, Page] = {name: take_apart(text) for name, text in TEXTS.items()}
PAGE = PAGES["real_api_guide.md"]
ERRORS = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^(#+) ")
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https:[^>]+)>")
KEYS = "".join(f"{planted(name)}\n" for name in FOUR)
# What each command prints, as a pattern.
PRINTS = {
    "oneflow keys setup": r"openai: works .*anthropic: works .*stability: works.*elevenlabs: works ",
    "oneflow keys list": r"(?:\n(?:openai|anthropic|stability|elevenlabs) .* in use){4}",
    "oneflow doctor": r"provider +openai: 1 key, .* checks, all well",
    "oneflow providers check": r"openai +ok .*anthropic +ok .*stability +ok .*elevenlabs +ok ",
    'oneflow ask "Write a haiku about AI" --max-tokens 60': r"answer to .Write a haiku about AI",
    'oneflow ask "Count to five" --stream --model openai/gpt-6-luna --max-tokens 60': r"answer to .Count to five",
    'oneflow ask "A lighthouse at dusk" --task image -o lighthouse.png': (
        r"lighthouse\.png: \d+x\d+ image/png, [\d,]+ bytes"
    ),
    'oneflow ask "Good evening" --task speech -o evening.mp3': r"evening\.mp3: audio/mpeg, [\d,]+ bytes",
    "oneflow ask evening.mp3 --task transcription": r"This is a simulated answer",
    "oneflow config check": r"oneflow\.toml: no mistakes",
    'oneflow ask "Say hello" --model support --max-tokens 20': r"answer to .Say hello",
    "oneflow batch prompts.jsonl -o answers.jsonl --max-tokens 60": r"2 of 2 prompts answered .*cost +\$0\.\d+",
    'oneflow compare "What is a gateway?" --models openai/gpt-6-luna,anthropic/claude-haiku-5-5 --max-tokens 40': (
        r"openai/gpt-6-luna +anthropic/claude-haiku-5-5.*cost +\$0\.0\d+ +\$0\.0\d+"
    ),
    "oneflow top --once": r"\d+ requests · 100\.0% success · \$0\.\d+",
    "oneflow budget set all daily 10": r"all daily: at most \$10",
    "oneflow budget set provider:openai monthly 50": r"provider:openai monthly: at most \$50",
    "oneflow budget": r"all +daily +\$10 .*provider:openai +monthly +\$50 ",
}
# What each program prints, by a word that only it holds.
PROGRAMS = {
    "flow.transcribe": r"answer to .Write a haiku about AI.*\nopenai gpt-6-luna [\d.e-]+ 60\n.*simulated answer",
    "set_fallback_chain": r"^openai This is .* \$0\.0\d+\nbest for text: openai\n.*'total_requests': 1,",
    "OneFlowAI": r"answer to .Write a haiku about AI.* 4\.99\d+\n.*'daily': {'limit': 2\.0, 'spent': [1-9]",
    "except OneFlowError": r"^model_not_priced 400 0 openai/gpt-no-such-model has no price",
}
# Commands in the text that last, and one that is shown with its arguments in a block.
LASTING = {"oneflow serve", "oneflow serve --port 9000"}
ARGUMENTS_LEFT_OUT = {"oneflow compare"}


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes a call fail: the method, what is asked, and what is different in the world."""

    model: str
    prompt: str = "Hello"
    method: str = "text"
    options: Mapping[str, Any] = field(default_factory=dict)
    world: Mapping[str, str] = field(default_factory=dict)
    calls: int = 1


OPENAI = "ONEFLOW_PROVIDERS__OPENAI__"
LUNA = "openai/gpt-6-luna"
PICTURES = "openai/gpt-image-2.6-flare"
CAUSES = {
    "provider_not_configured": Cause("anthropic/claude-haiku-5-5", world={"ANTHROPIC_API_KEY": ""}),
    "provider_auth_failed": Cause("openai/sim-F24"),
    "provider_quota_exhausted": Cause("openai/sim-F22;kind=quota"),
    "upstream_rate_limited": Cause("openai/sim-F19"),
    "queue_timeout": Cause(LUNA, options={"timeout_seconds": 3}, world={f"{OPENAI}REQUESTS_PER_MINUTE": "1"}, calls=2),
    "insufficient_quota": Cause(LUNA, world={"ONEFLOW_BUDGETS__DAILY_USD": "0.000001"}),
    "model_not_found": Cause("gpt-no-such-model"),
    "model_retired": Cause("openai/gpt-4-0314"),
    "model_not_priced": Cause("openai/gpt-no-such-model"),
    "unsupported_parameter": Cause(PICTURES, method="image", options={"negative_prompt": "rain"}),
    "context_length_exceeded": Cause("openai/sim-F25;kind=context"),
    "content_moderation": Cause("image", "How to kill bees", "image"),
    "moderation_blocked": Cause(PICTURES, "How to kill bees", "image"),
    "upstream_rejected": Cause("anthropic/sim-F25"),
    "upstream_overloaded": Cause("openai/sim-F23;status=503"),
    "upstream_error": Cause("openai/sim-F23"),
    "upstream_timeout": Cause("openai/sim-F9", world={f"{OPENAI}TIMEOUT_SECONDS": "1"}),
    "upstream_unreachable": Cause(LUNA, world={f"{OPENAI}BASE_URL": "http://127.0.0.1:9/v1"}),
    "upstream_tls_error": Cause(LUNA, world={f"{OPENAI}BASE_URL": "https://127.0.0.1:{port}/v1"}),
}
OF_A_SERVER = {"missing_api_key", "invalid_api_key"}


def spans(page: Page) -> list[str]:
    return [span for _, line in page.prose for span in SPAN.findall(line)]


def rows(page: Page) -> list[tuple[list[str], list[str]]]:
    """What stands as code and as a link in each row of each table."""
    lines = [line for _, line in page.prose if line.startswith("|")]
    return [(sorted(SPAN.findall(line)), sorted(map("".join, LINK.findall(line)))) for line in lines]


def codes(page: Page) -> list[str]:
    """The codes that the table of codes explains."""
    lines = [line for _, line in page.prose]
    begins = next(at for at, line in enumerate(lines) if line.startswith(("| code |", "| код |"))) + 2
    found = []
    for line in lines[begins:]:
        if not line.startswith("|"):
            break
        found += SPAN.findall(line.split("|")[1])
    return found


def of_language(*languages: str) -> list[Block]:
    return [block for block in PAGE.blocks if block.language in languages]


def commands() -> list[str]:
    return [line for block in of_language("sh") for line in block.text.splitlines()]


@pytest.fixture(scope="module")
def simulator() -> Iterator[ThreadedSimulator]:
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        yield simulator


@pytest.fixture
def world(simulator: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    """The variables that point every provider at the simulator; none of them is a key."""
    found = variables(tmp_path / "home", simulator)
    return {name: value for name, value in found.items() if not name.endswith("API_KEY")} | {
        "ONEFLOW_SERVER__PORT": "0"
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty working directory, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture
def keys(place: Place) -> Path:
    """The guide's own file of keys, in place."""
    (block,) = of_language("json")
    place.home.mkdir(mode=0o700)
    file = place.write(block.text, "home/.api_keys.json")
    file.chmod(0o600)
    return file


def test_both_editions_have_the_same_commands_and_programs() -> None:
    first, second = ([(block.language, block.text) for block in page.blocks] for page in PAGES.values())
    assert first == second
    assert {language for language, _ in first} == {"sh", "json", "python", "toml", "jsonl"}


def test_both_editions_have_the_same_headings_tables_and_names() -> None:
    first, second = PAGES.values()
    for found in (lambda page: [match[1] for _, line in page.prose if (match := HEADING.match(line))], rows, codes):
        assert found(first) == found(second)
    assert sorted(spans(first)) == sorted(spans(second))


def test_each_edition_leads_to_the_other_and_is_found() -> None:
    for name, other in zip(EDITIONS, reversed(EDITIONS), strict=True):
        assert f"]({other})" in TEXTS[name]
        assert f"](docs/{name})" in (ROOT / "README.md").read_text(encoding="utf-8")
        assert f"]({name})" in (ROOT / "docs/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_example_is_named_with_what_it_shows(edition: str) -> None:
    named = re.findall(r"^\| \[(\w+)\.py\]\(\.\./examples/\1\.py\) \| \S.{10,} \|$", TEXTS[edition], re.MULTILINE)
    assert sorted(named) == sorted(file.stem for file in (ROOT / "examples").glob("*.py"))


def test_every_command_and_program_does_what_it_says_in_the_order_of_the_page(
    place: Place, world: dict[str, str]
) -> None:
    assert set(commands()) == set(PRINTS)
    for block in PAGE.blocks:
        match block.language:
            case "sh":
                for line in block.text.splitlines():
                    run_command(place, world, line)
            case "python":
                run_program(place, world, block.text)
            case "toml":
                with (place.directory / "oneflow.toml").open("a", encoding="utf-8") as file:
                    file.write(block.text)
            case "jsonl":
                place.write(block.text, "prompts.jsonl")
    assert (place.directory / "lighthouse.png").read_bytes().startswith(b"\x89PNG")
    assert (place.directory / "evening.mp3").stat().st_size > 4_000
    answers = [json.loads(line) for line in (place.directory / "answers.jsonl").read_text().splitlines()]
    assert [(answer["id"], answer["status"], answer["simulated"]) for answer in answers] == [
        (None, "success", False),
        ("q-2", "success", False),
    ]
    assert all(answer["cost_usd"] > 0 for answer in answers)
    assert (place.home / ".api_keys.json").stat().st_mode & 0o777 == 0o600
    assert not list(leaks_in_files(place.directory))


def run_command(place: Place, world: dict[str, str], line: str) -> None:
    result = place.run(*shlex.split(line)[1:], text=KEYS, **world)
    assert result.exit_code == 0, (line, result.output)
    assert re.search(PRINTS[line], result.stdout, re.DOTALL), (line, result.stdout)


def run_program(place: Place, world: dict[str, str], text: str) -> None:
    (printed,) = [printed for word, printed in PROGRAMS.items() if word in text]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=place.directory,
        env={**place.environment, **world},
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), text
    assert re.search(printed, done.stdout, re.DOTALL), done.stdout
    unleaked(done.stdout)


def test_the_configuration_is_sound_and_its_route_leads_to_priced_models(place: Place) -> None:
    text = "".join(block.text for block in of_language("toml"))
    named = {f"{name.upper()}_API_KEY": "sk-of-nobody" for name in FOUR}
    found = compiled(load_settings(place.write(text), {**named, "ONEFLOW_HOME": str(place.home)}))
    targets = found.snapshot.routes["support"].targets
    assert [target.place for target in targets] == tomllib.loads(text)["routes"]["support"]["targets"]
    assert all(target.price is not None for target in targets)
    assert load_settings(place.directory / "oneflow.toml", {}).settings.providers["openai"].requests_per_minute == 500


def test_the_file_of_keys_is_one(place: Place, keys: Path) -> None:
    listed = place.json("keys", "list")
    assert [each["provider"] for each in listed] == ["openai", "anthropic", "anthropic"]


@pytest.mark.parametrize("line", sorted({span for span in spans(PAGE) if span.startswith("oneflow ")} - LASTING))
@pytest.mark.usefixtures("keys")
def test_a_command_in_the_text_runs(place: Place, world: dict[str, str], line: str) -> None:
    words = line.replace("NAME", "openai").split()[1:]
    result = place.run(*words, *(["--help"] if line in ARGUMENTS_LEFT_OUT else []), text=KEYS, **world)
    assert result.exit_code == 0, result.output
    assert "sk-" not in result.output


def test_the_server_starts(place: Place, world: dict[str, str]) -> None:
    assert {span for span in spans(PAGE) if span.startswith("oneflow serve")} == LASTING
    with ended(place.process("serve", "--port", "0", variables=world)) as process:
        assert "http://127.0.0.1:" in first_line(process)


def test_every_code_is_a_documented_one_and_its_cause_is_shown_here() -> None:
    found = codes(PAGE)
    assert set(found) == {*CAUSES, *OF_A_SERVER}
    assert len(found) == len(set(found))
    for code in found:
        assert f"`{code}`" in ERRORS
        assert code in KINDS or code in ("content_moderation", "moderation_blocked")


@pytest.mark.parametrize("code", CAUSES)
def test_a_code_has_the_cause_that_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, simulator: ThreadedSimulator, code: str
) -> None:
    cause = CAUSES[code]
    port = simulator.origin.rpartition(":")[2]
    changed = {name: value.replace("{port}", port) for name, value in cause.world.items()}
    enter(monkeypatch, tmp_path, {**variables(tmp_path / "home", simulator), "ONEFLOW_RETRY__ATTEMPTS": "1", **changed})
    price = "input_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 1\n"
    Path("oneflow.toml").write_text(f'[prices."openai/sim-*"]\n{price}[prices."anthropic/sim-*"]\n{price}')
    with OneFlow() as flow:
        method: Callable[..., object] = getattr(flow, cause.method)
        for _ in range(cause.calls - 1):
            method(cause.prompt, cause.model, **cause.options)
        with pytest.raises(OneFlowError) as failed:
            method(cause.prompt, cause.model, **cause.options)
    assert failed.value.code == code


def test_a_filtered_text_tells_it_as_its_finish_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, simulator: ThreadedSimulator
) -> None:
    enter(monkeypatch, tmp_path, variables(tmp_path / "home", simulator))
    price = "input_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 1\n"
    Path("oneflow.toml").write_text(f'[prices."openai/sim-*"]\n{price}')
    with OneFlow() as flow:
        assert flow.text("Hello", "openai/sim-F48;kind=refusal").finish_reason == "refusal"
        assert flow.text("Hello", LUNA, max_tokens=1).finish_reason == "length"


def test_a_server_names_the_key_that_its_client_lacks(place: Place) -> None:
    with serving(place) as announced:
        for headers, code in (({}, "missing_api_key"), ({"Authorization": "Bearer sk-other"}, "invalid_api_key")):
            body = b'{"model": "text", "messages": [{"role": "user", "content": "Hello"}]}'
            request = Request(  # noqa: S310 - the address that the server announced
                f"{announced['url']}/v1/chat/completions", body, {"Content-Type": "application/json", **headers}
            )
            with pytest.raises(HTTPError) as refused:
                urlopen(request, timeout=SECONDS_MOST)  # noqa: S310 - as above
            with refused.value as answer:
                assert json.load(answer)["error"]["code"] == code


def test_what_a_person_sees_is_what_the_table_quotes(place: Place, simulator: ThreadedSimulator) -> None:
    assert SIMULATED in place.run("ask", "Hello", "--max-tokens", "3").stderr
    assert "no provider has a key" in place.run("keys", "list").output
    (host, port) = simulator.origin.removeprefix("http://").split(":")
    assert f"{host}:{port} is in use" in place.run("serve", "--port", port).stderr


def test_an_open_file_of_keys_is_told_with_what_mends_it(place: Place, keys: Path) -> None:
    keys.chmod(0o644)
    told = place.run("ask", "Hello").stderr
    assert ".api_keys.json: can be read by others" in told
    assert told.endswith(f"chmod 600 {keys}\n")
