"""What is printed: text of strangers cannot steer a terminal, and tables are whole where no terminal folds them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios

import pytest

from oneflow_ai.cli.output import Column, pictured, say_table
from tests.cli.place import SECONDS_MOST, Place, ended, lines

LONG = "openai/" + "a-very-long-model-name-" * 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\rb\x00", "a␍b␀"),
        ("\x9b31m\x7f", "\ufffd31m\ufffd"),
        ("häuser 家 🏠", "häuser 家 🏠"),
    ],
)
def test_control_characters_become_pictures(text: str, shown: str) -> None:
    assert pictured(text) == shown


def test_a_table_in_a_pipe_is_never_folded_or_padded(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(
        (Column("model", fold=True), Column("n", right=True), Column("word")), [(LONG, "1", ""), ("b", "20", "x")]
    )
    assert lines(capsys.readouterr().out) == [
        f"{'model':<{len(LONG)}}   n  word",
        f"{LONG}   1",
        f"{'b':<{len(LONG)}}  20  x",
    ]


def screen(place: Place, *arguments: str, columns: int, **variables: str) -> str:
    """What a terminal of so many columns is shown."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    variables = {"TERM": "xterm-256color", **variables}
    with ended(place.process(*arguments, stdout=side, stderr=side, variables=variables)) as process:
        os.close(side)
        shown = b""
        try:
            while piece := os.read(main, 4_096):
                shown += piece
        except OSError:
            pass  # the other side is closed: that is how a pseudo-terminal ends
        process.wait(timeout=SECONDS_MOST)
    os.close(main)
    return shown.decode()


def test_a_terminal_gets_colour_unless_it_wants_none_and_a_table_that_fits(place: Place) -> None:
    place.write("[server]\nport = 0\n")
    coloured = screen(place, "doctor", columns=60)
    plain = screen(place, "doctor", columns=120, NO_COLOR="1")
    assert "\x1b[32mok" in coloured
    assert "\x1b[32m" not in plain
    for shown, columns in ((coloured, 60), (plain, 120)):
        rows = lines(re.sub(r"\x1b\[[\d;]*m", "", shown))
        assert any(row.startswith("ok") for row in rows)
        assert max(map(len, rows)) <= columns
