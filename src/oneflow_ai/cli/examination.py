"""What `oneflow doctor` examines, a function for each thing; it mends nothing by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from oneflow_ai.app.key_list import listed_keys
from oneflow_ai.app.keys import server_secret
from oneflow_ai.cli.configured import Compiled, Wrong, check_engine, compiled, load_settings
from oneflow_ai.cli.pid_file import PidFile
from oneflow_ai.core.target import ENDING_DAYS, Target
from oneflow_ai.policy.rotation import WARN_DAYS, Age
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, SettingsError, configured_providers, credentials, database_path
from oneflow_ai.settings.credentials import keys_files, read_keys_file
from oneflow_ai.stores import StoreRefused, private_file
from oneflow_ai.stores.driver import sqlite_module, version_warning
from oneflow_ai.stores.history import Filters, History
from oneflow_ai.stores.keys import FIRST_KEY_FILE, keys_were_made
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.vault import vault_is_used

Level = Literal["ok", "warn", "fail"]

PYTHON_LEAST = (3, 11)
FREE_BYTES_LEAST = 200 * 1024 * 1024
CONNECT_SECONDS = 2.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MEBIBYTE = 1 << 20
_GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and how to mend it where it is not well."""

    check: str
    level: Level
    text: str
    mend: str = ""


def examine(config: Path | None) -> list[Finding]:
    """Every finding, in the order in which things build on each other."""
    found = [*_python(), *_sqlite()]
    try:
        loaded = load_settings(config)
        whole = compiled(loaded)
        check_engine(loaded)
    except Wrong as wrong:
        mistakes = [Finding("configuration", "fail", str(one)) for one in wrong.mistakes]
        return [*found, *mistakes]
    found += _configuration(loaded)
    for look in (_home, _disk, _database, _key_files, _keys, _port):
        found += look(loaded)
    for look_further in (_providers, _catalog):
        found += look_further(whole)
    return [*found, *route_findings(whole, datetime.now(UTC).date())]


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_LEAST:
        yield Finding("python", "fail", version, f"install Python {'.'.join(map(str, PYTHON_LEAST))} or newer")
    else:
        yield Finding("python", "ok", version)


def _sqlite() -> Iterator[Finding]:
    module = sqlite_module()
    warning = version_warning(module)
    yield Finding("sqlite", "warn" if warning else "ok", warning or module.sqlite_version)


def _configuration(loaded: Loaded) -> Iterator[Finding]:
    yield Finding("configuration", "ok", str(loaded.file) if loaded.file else "no file: defaults and variables")
    yield from (Finding("configuration", "warn", str(warning)) for warning in loaded.warnings)


def _home(loaded: Loaded) -> Iterator[Finding]:
    home = loaded.home
    if not home.exists():
        above = next(folder for folder in home.parents if folder.exists())
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            yield Finding("home", "ok", f"{home} is made at the first start")
        else:
            yield Finding("home", "fail", f"{home} cannot be made in {above}", "set ONEFLOW_HOME to a folder that can")
    elif not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("home", "fail", f"{home} is no folder that you can write to", "set ONEFLOW_HOME to one that is")
    elif os.name == "posix" and home.stat().st_mode & _OTHERS:
        yield Finding("home", "warn", f"{home} is open to other users", f"chmod 700 {home}")
    else:
        yield Finding("home", "ok", str(home))


def _disk(loaded: Loaded) -> Iterator[Finding]:
    place = next(folder for folder in (loaded.home, *loaded.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / _GIBIBYTE:,.1f} GiB free"
    if free < FREE_BYTES_LEAST:
        yield Finding(
            "disk", "warn", text, "the history stops when the disk is full: make room, or lower history.retention_days"
        )
    else:
        yield Finding("disk", "ok", text)


def _database(loaded: Loaded) -> Iterator[Finding]:
    path = database_path(loaded)
    if not path.exists():
        yield Finding("database", "ok", f"{path.name} is made at the first start")
        yield from _secret(loaded, needed=False)
        return
    try:
        requests, keys = asyncio.run(_read(path))
    except StoreRefused as error:
        yield Finding("database", "fail", str(error), "restore it, or set it aside to begin anew")
        return
    yield Finding("database", "ok", f"{path.name}, {path.stat().st_size / _MEBIBYTE:,.1f} MiB, {requests:,} calls")
    yield from _secret(loaded, needed=keys)


async def _read(path: Path) -> tuple[int, bool]:
    database = await Database.open(path)
    try:
        totals = await History(database).totals(Filters())
        return totals.requests, await keys_were_made(database) or await vault_is_used(database)
    finally:
        await database.close()


def _secret(loaded: Loaded, *, needed: bool) -> Iterator[Finding]:
    form, _, name = loaded.settings.server.secret.partition(":")
    if form == "file" and not needed and not (loaded.home / name).exists():
        yield Finding("secret", "ok", f"{name} is made at the first start")
        return
    try:
        server_secret(loaded, needed=True)
    except StoreRefused as error:
        yield Finding("secret", "fail", str(error))
    else:
        yield Finding("secret", "ok", name)


def _key_files(loaded: Loaded) -> Iterator[Finding]:
    """Files that hold keys: those of providers, whether or not a key is taken from them, and the first key."""
    for path in keys_files(loaded):
        try:
            keys = read_keys_file(path)
        except SettingsError as error:
            yield Finding("key file", "fail", str(error))
        else:
            if keys:
                yield Finding("key file", "ok", f"{path}, closed to others")
    path = loaded.home / FIRST_KEY_FILE
    try:
        private_file.read(path)
    except FileNotFoundError:
        return
    except StoreRefused as error:
        yield Finding("key file", "fail", str(error))
    else:
        yield Finding("key file", "ok", f"{path}, closed to others")


def _keys(loaded: Loaded) -> Iterator[Finding]:
    """The keys of providers: how old, whether about to end, and those that nothing uses."""
    count = sum(map(len, loaded.vault.values()))
    if count:
        yield Finding("vault", "ok", f"{count} key{'s' if count != 1 else ''}, each can be opened")
    try:
        found = listed_keys(loaded)
    except SettingsError:
        # It was told with its file.
        return
    for key in found:
        rotate = f"oneflow keys rotate {key.credential}"
        text = f"{key.credential or key.provider} ({key.shown}): {key.days or 0} days old"
        if key.credential is None:
            level: Level = "ok" if key.ended else "warn"
            yield Finding("key", level, f"{key.provider} ({key.shown}): {key.words}")
        elif key.ends_at is not None:
            yield Finding("key", "ok", f"{key.credential} ({key.shown}): {key.words}")
        elif key.age is Age.DUE:
            yield Finding("key", "ok", f"{text}, to be replaced before it is {WARN_DAYS}", rotate)
        elif key.age is Age.OVERDUE:
            yield Finding("key", "warn", text, rotate)


def _port(loaded: Loaded) -> Iterator[Finding]:
    server = loaded.settings.server
    place = f"{server.host}:{server.port}"
    serving = PidFile(loaded.home).holder()
    if serving is not None:
        yield Finding("server", "ok", f"process {serving.pid} serves this home at {serving.url}")
    try:
        listener = socket.create_server((server.host, server.port), family=_family(server.host))
    except OSError as error:
        if serving is not None and serving.url.endswith(f":{server.port}"):
            return
        yield Finding(
            "port", "fail", f"{place}: {error.strerror or error}", "stop what listens there, or set server.port"
        )
    else:
        listener.close()
        yield Finding("port", "ok", f"{place} is free")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _providers(found: Compiled) -> Iterator[Finding]:
    loaded = found.loaded
    if found.demo:
        yield Finding("providers", "warn", "no provider has a key: the simulator answers", _how_to_give_keys())
        return
    usable = 0
    for name, settings in configured_providers(loaded).items():
        if not found.snapshot.providers[name].configured:
            continue
        usable += 1
        keys = len(credentials(loaded, name))
        count = f"{keys} key{'s' if keys != 1 else ''}" if keys else "needs no key"
        yield Finding("provider", "ok", f"{name}: {count}, {settings.base_url}")
    if not usable:
        yield Finding("providers", "warn", "no provider has a key: calls are refused", _how_to_give_keys())


def _how_to_give_keys() -> str:
    variable = next(row.environment for row in TABLE.values() if row.environment)
    return f"`oneflow keys setup` asks for keys; or export {variable}, or another provider's variable"


def _catalog(found: Compiled) -> Iterator[Finding]:
    source = found.catalog.source
    yield Finding("catalogue", "ok", f"prices of {source.checked} ({source.source} {source.version})")


def route_findings(found: Compiled, today: date) -> Iterator[Finding]:
    """What is to be known on a day (UTC) of the models that routes lead to: without a price, retired, about to be."""
    for route in found.snapshot.routes.values():
        targets = {target.place: target for target in route.targets}
        troubles = [trouble for target in targets.values() for trouble in _troubles(found, target, today)]
        yield from (Finding(f"route {route.name}", "warn", text, mend) for text, mend in troubles)
        if targets and not troubles:
            yield Finding(f"route {route.name}", "ok", ", ".join(targets))


def _troubles(found: Compiled, target: Target, today: date) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with a model, and how to mend it."""
    if target.price is None:
        mend = f'set it under [prices."{target.place}"]; 0 means free'
        yield f"{target.place} has no price, so calls to it are refused", mend
    facts = found.catalog.model(target.kind, target.model)
    if facts is None or target.simulated:
        return
    instead = f"use {target.provider}/{facts.successor}" if facts.successor else "choose another model"
    if facts.ended(today):
        yield f"{target.place} has ended", instead
    elif facts.shutdown is not None and facts.shutdown <= today + timedelta(days=ENDING_DAYS):
        yield f"{target.place} ends on {facts.shutdown.isoformat()}", instead
