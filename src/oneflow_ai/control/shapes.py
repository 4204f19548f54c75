"""What all answers and requests of the control plane share, and the parts that several of them show."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from oneflow_ai.control.ports import Running

Mode: TypeAlias = Literal["normal", "demo"]
NAME_CHARACTERS_MOST = 256

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MOST)]
Moment = Annotated[AwareDatetime, Field(description="A moment with its time zone, for example 2026-11-24T12:00:00Z.")]


class Shown(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Asked(BaseModel):
    """A part of a request: nothing unknown, and no value in an error's text."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ErrorShown(Shown):
    """What went wrong; `code` is for programs, `message` for people, `param` names the parameter at fault."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(Shown):
    """The body of every answer that tells a failure."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "limit: input should be less than or equal to 200",
                        "type": "invalid_request_error",
                        "param": "limit",
                        "code": "invalid_value",
                    }
                }
            ]
        }
    )

    error: ErrorShown


class BacklogShown(Shown):
    """Finished calls that the history has still to write, and those that it lost."""

    waiting: int
    dropped: int


def mode_of(running: Running) -> Mode:
    """Whether the simulator answers for every provider."""
    return "demo" if running.demo else "normal"


def uptime_seconds(running: Running) -> float:
    """For how long the process has served."""
    return round(max((running.clock.utc() - running.started_at).total_seconds(), 0.0), 3)


def backlog_of(running: Running) -> BacklogShown:
    """What the history has still to write."""
    return BacklogShown(waiting=running.recorder.waiting, dropped=running.recorder.dropped)
