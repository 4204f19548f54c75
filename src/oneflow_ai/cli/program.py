"""The command line put together: every verb with an example, and the one way out for whatever goes wrong."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from oneflow_ai.cli import (
    ask,
    batch,
    compare,
    config,
    doctor,
    keys,
    models,
    money,
    providers,
    serve,
    simulator,
    tokens,
    top,
    version,
)
from oneflow_ai.cli.failures import MISUSED, guarded
from oneflow_ai.cli.output import say
from oneflow_ai.cli.spread import spread
from oneflow_ai.core.version import VERSION

_HELP = {"help_option_names": ["-h", "--help"]}


class Program(TyperGroup):
    """The group of all verbs; what goes wrong in one is told in a line, and becomes the exit status."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run one command line and leave."""
        options["standalone_mode"] = False
        options["prog_name"] = "oneflow"
        sys.exit(guarded(lambda: super(Program, self).main(*arguments, **options)))


def _print_version(asked: bool) -> None:
    if asked:
        say(VERSION)
        raise typer.Exit


def _top(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An AI gateway: one endpoint, one library and one command for every AI provider."""
    _help_without_verb(context)


def _config(context: typer.Context) -> None:
    """Check, show, describe or reload the configuration."""
    _help_without_verb(context)


def _tokens(context: typer.Context) -> None:
    """Make, list and revoke the API keys of this gateway."""
    _help_without_verb(context)


def _keys(context: typer.Context) -> None:
    """Set up, list, replace and remove the keys that this gateway has at providers."""
    _help_without_verb(context)


def _help_without_verb(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(MISUSED)


_Verb = tuple[str, Callable[..., None], str]

_VERBS: tuple[_Verb, ...] = (
    ("serve", serve.serve, "oneflow serve --port 9000"),
    ("ask", ask.ask, 'oneflow ask "Write a haiku about the sea" --stream'),
    ("batch", batch.batch, "oneflow batch prompts.jsonl -o answers.jsonl"),
    (
        "compare",
        compare.compare,
        'oneflow compare "Write a haiku" --models openai/gpt-6-luna,anthropic/claude-haiku-5-5',
    ),
    ("models", models.models, "oneflow models mini"),
    ("top", top.top, "oneflow top --server http://127.0.0.1:8000"),
    ("simulator", simulator.simulator, 'oneflow simulator --port 8010 --fault "F23=0.3"'),
    ("doctor", doctor.doctor, "oneflow doctor"),
    ("version", version.show_version, "oneflow version --json"),
)
_PROVIDERS: tuple[_Verb, ...] = (
    ("status", providers.status, "oneflow providers status --server http://127.0.0.1:8000"),
    ("best", providers.best, "oneflow providers best text"),
    ("check", providers.check, "oneflow providers check"),
)
_CONFIG: tuple[_Verb, ...] = (
    ("check", config.check, "oneflow config check --config new.toml"),
    ("show", config.show, "oneflow config show server"),
    ("schema", config.schema, "oneflow config schema > oneflow.schema.json"),
    ("reload", config.reload, "oneflow config reload"),
)
_TOKENS: tuple[_Verb, ...] = (
    ("create", tokens.create, 'oneflow tokens create "build server" --requests-per-minute 60'),
    ("list", tokens.list_all, "oneflow tokens list"),
    ("revoke", tokens.revoke, "oneflow tokens revoke key_0Gd3oYb4pLq2K"),
)
_KEYS: tuple[_Verb, ...] = (
    ("setup", keys.setup, "oneflow keys setup"),
    ("set", keys.set_key, "oneflow keys set openai --vault"),
    ("list", keys.list_all, "oneflow keys list"),
    ("rotate", keys.rotate, "oneflow keys rotate openai"),
    ("remove", keys.remove, "oneflow keys remove openai#2"),
)

_BUDGET: tuple[_Verb, ...] = (
    ("set", money.set_budget, "oneflow budget set provider:openai monthly 50"),
    ("remove", money.remove_budget, "oneflow budget remove all daily"),
)
_WALLET: tuple[_Verb, ...] = (("add", money.add_credit, "oneflow wallet add 25 --id invoice-1024"),)


def _group(
    verbs: tuple[_Verb, ...], alone: Callable[..., None], example: str, cls: type[TyperGroup] = TyperGroup
) -> typer.Typer:
    """A group of verbs, and what it does without one."""
    group = typer.Typer(
        cls=cls,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
        epilog=f"Example: {example}",
    )
    group.callback(invoke_without_command=True)(spread(alone))
    for name, verb, verb_example in verbs:
        group.command(name, epilog=f"Example: {verb_example}", context_settings=_HELP)(spread(verb))
    return group


def _program() -> typer.Typer:
    program = _group(_VERBS, _top, "oneflow serve", Program)
    program.add_typer(_group(_PROVIDERS, providers.list_all, "oneflow providers"), name="providers")
    program.add_typer(_group(_CONFIG, _config, "oneflow config check"), name="config")
    program.add_typer(_group(_KEYS, _keys, "oneflow keys list"), name="keys")
    program.add_typer(_group(_TOKENS, _tokens, "oneflow tokens list"), name="tokens")
    program.add_typer(_group(_BUDGET, money.budgets, "oneflow budget"), name="budget")
    program.add_typer(_group(_WALLET, money.wallet, "oneflow wallet"), name="wallet")
    return program


app = _program()
"""Every verb, as Typer knows them."""


def main() -> None:
    """The command `oneflow`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal's alphabet lacks is shown as ? instead of ending the verb.
            stream.reconfigure(errors="replace")
    app()
