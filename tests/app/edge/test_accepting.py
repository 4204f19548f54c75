"""Connections that come together are accepted together: a turn of a busy loop is long."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from oneflow_ai.edge.server import ACCEPTED_A_TURN
from tests.app.edge.front import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTIONS = 64
TURNS_BESIDE = 4


async def test_a_turn_accepts_many(front: Front) -> None:
    await front.empty()
    with contextlib.ExitStack() as clients:
        for _ in range(CONNECTIONS):
            clients.enter_context(socket.create_connection(("127.0.0.1", front.port)))
        turns = 0
        while front.connections_open() < CONNECTIONS:
            await asyncio.sleep(0)
            turns += 1
            assert turns <= CONNECTIONS / ACCEPTED_A_TURN + TURNS_BESIDE
    await front.empty()
