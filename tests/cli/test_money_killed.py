"""P3: a server is killed in the middle of its work, again and again; no spend that a client was told is lost."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
import threading
import time
from contextlib import closing
from random import Random
from typing import Any
from urllib.parse import urlsplit

from oneflow_ai.core.money import nanos_from_usd
from oneflow_ai.simulator import Pace, SimulatorOptions, run_in_thread
from tests.cli.place import Place, ended, first_line

KILLS = 4
CLIENTS = 8
CREDIT_NANOS = 100 * 10**9
PACE = Pace(first_token_seconds=0.005, tokens_per_second=0.0, whole_seconds_most=0.02, jitter=0.0)
BODY = json.dumps(
    {"model": "sim/gpt-6-luna", "messages": [{"role": "user", "content": "Say something."}], "max_tokens": 100}
)


class Clients:
    """Clients that ask as fast as they can until nobody answers; `told_nanos` is what they were told that it cost."""

    def __init__(self, url: str, key: str) -> None:
        self.told_nanos = self.answers = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(url, key)) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str, key: str) -> None:
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            while True:
                try:
                    connection.request("POST", "/v1/chat/completions", BODY, headers)
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    return
                if answer.status == 200:
                    with self._lock:
                        self.told_nanos += nanos_from_usd(answer.headers["x-oneflow-cost-usd"])
                        self.answers += 1

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def rows(place: Place, statement: str) -> list[Any]:
    with closing(sqlite3.connect(place.home / "oneflow.db")) as database:
        return database.execute(statement).fetchall()


def test_a_killed_server_loses_no_spend_and_leaks_no_hold(place: Place) -> None:
    chance = Random(5)
    with run_in_thread(SimulatorOptions(pace=PACE, seed=3)) as provider:
        prices = '[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
        place.simulated(provider.base_url, prices)
        key = place.run("tokens", "create", "clients").stdout.strip()
        place.run("wallet", "add", "100")
        told_nanos = answers = 0
        for _ in range(KILLS):
            with ended(place.process("serve", "--json", "--port", "0")) as server:
                clients = Clients(json.loads(first_line(server))["url"], key)
                time.sleep(0.3 + chance.random())
                server.send_signal(signal.SIGKILL)
                server.wait()
                clients.join()
            told_nanos += clients.told_nanos
            answers += clients.answers
            balance = place.json("wallet")
            spent_nanos = nanos_from_usd(balance["spent_usd"])
            (transfers,) = rows(place, "SELECT count(*), sum(nanos) FROM ledger_transfers WHERE destination = 'spent'")
            assert spent_nanos == transfers[1]
            assert balance["held_usd"] == 0
            # Of those in flight at a kill, each client had one: its cost may be kept without its answer.
            assert answers <= transfers[0] <= answers + CLIENTS * KILLS
            assert told_nanos <= spent_nanos
            assert rows(place, "SELECT limit_nanos - posted_nanos - held_nanos FROM ledger_accounts") == [
                (CREDIT_NANOS - spent_nanos,)
            ]
        assert answers > KILLS * CLIENTS
        # What the history holds of the calls that were served, the ledger has too, to the nano-dollar.
        joined = "SELECT count(*) FROM requests LEFT JOIN ledger_transfers t ON t.id LIKE requests.id || '.%'"
        assert rows(place, f"{joined} WHERE outcome = 'ok' AND cost_nanos IS NOT t.nanos") == [(0,)]
