"""ElevenLabs' voices by name, and which of them speaks for which of OpenAI's: a table that operators extend."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# The voices that every account has (the vendor's default voices, as its clients' samples list them, 2026-11-27).
OWN: Mapping[str, str] = MappingProxyType(
    {
        "adam": "pNInz6obpgDQGcFmaJgB",
        "alice": "Xb7hH8MSUJpSbSDYk0k2",
        "bill": "pqHfZKP75CvOlQylNhV4",
        "brian": "nPczCjzI2devNBz1zQrb",
        "callum": "N2lVS1w4EtoT3dr4eOWO",
        "charlie": "IKne3meq5aSn9XLyUdCD",
        "charlotte": "XB0fDUnXU5powFXDhCwa",
        "chris": "iP95p4xoKVk53GoZ742B",
        "daniel": "onwK4e9ZLuTAKqWW03F9",
        "eric": "cjVigY5qzO86Huf0OWal",
        "george": "JBFqnCBsd6RMkjVDRZzb",
        "jessica": "cgSgspJ2msm6clMCkdW9",
        "laura": "FGY2WhTYpPnrIDTdsKH5",
        "liam": "TX3LPaxmHKxFdv7VOQHJ",
        "lily": "pFZP5JQG7iQjIQuC4Bku",
        "matilda": "XrExE9yKIg1WjnnlVkGX",
        "rachel": "21m00Tcm4TlvDq8ikWAM",
        "river": "SAz9YHcvj6GT2YYXdXww",
        "roger": "CwhRBWXzGAHq8TQ4Fs17",
        "sarah": "EXAVITQu4vr4xnSDxMaL",
        "will": "bIHbv24MWmeRgasZH58o",
    }
)
# One for each of OpenAI's voices (its specification, VoiceIdsShared, 2026-11-23), alike in pitch and age as each vendor
# describes them: ours to choose, each once, so that the table can be read both ways.
_ALIKE: Mapping[str, str] = {
    "alloy": "river",
    "ash": "will",
    "ballad": "daniel",
    "cedar": "roger",
    "coral": "jessica",
    "echo": "liam",
    "fable": "george",
    "marin": "matilda",
    "nova": "sarah",
    "onyx": "brian",
    "sage": "alice",
    "shimmer": "laura",
    "verse": "chris",
}
VOICES: Mapping[str, str] = MappingProxyType({**OWN, **{name: OWN[own] for name, own in _ALIKE.items()}})
"""Ids by the names that people and clients of other wires use."""

BY_ID: Mapping[str, str] = MappingProxyType({OWN[own]: name for name, own in _ALIKE.items()})
"""OpenAI's voices by the ids of those that are like them."""

OTHERS: Mapping[str, str] = MappingProxyType({**BY_ID, **{own: name for name, own in _ALIKE.items()}})
"""OpenAI's voices by the ids and the names of those that are like them."""
