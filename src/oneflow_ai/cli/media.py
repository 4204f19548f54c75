"""Gets the picture or the speech that `oneflow ask` writes into a file, and tells what it is; it plays nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneflow_ai.answer import Media, MediaAnswer
from oneflow_ai.cli.asking import footer
from oneflow_ai.cli.configured import load_settings
from oneflow_ai.cli.output import note, say, say_json
from oneflow_ai.cli.remote import Remote, remote_of
from oneflow_ai.cli.remote_media import make_media
from oneflow_ai.cli.stopping import run
from oneflow_ai.core.pixels import pixels_of
from oneflow_ai.settings import Loaded

if TYPE_CHECKING:
    from oneflow_ai.cli.ask import AskOptions

# What names that mean the same end in.
_ENDINGS = {"image/jpeg": (".jpg", ".jpeg"), "image/png": (".png",), "image/webp": (".webp",)}


def make(prompt: str, options: AskOptions) -> None:
    """Ask, write the answer into its file, and tell where it is; raises `Refused`, `OneFlowError` and `OSError`."""
    loaded = load_settings(options.config)
    given = run(_made(loaded, remote_of(options.server, loaded), prompt, options))
    assert options.output is not None
    files = given.save(options.output)
    rows = [_row(media, file) for media, file in zip(given.media, files, strict=True)]
    if options.as_json:
        say_json({"files": rows} | {name: value for name, value in given.as_dict().items() if name != "media"})
    else:
        for row in rows:
            pixels = f"{row['width']}x{row['height']} " if row["width"] else ""
            say(f"{row['file']}: {pixels}{row['media_type']}, {row['bytes']:,} bytes")
    for media, file in zip(given.media, files, strict=True):
        if file.suffix.lower() not in _ENDINGS.get(media.media_type, (file.suffix.lower(),)):
            note(f"{file} holds {media.media_type}, whatever its name says")
    footer(given, options)


async def _made(loaded: Loaded, remote: Remote | None, prompt: str, options: AskOptions) -> MediaAnswer:
    if remote is not None:
        return await make_media(remote, options.task, prompt, options.place, options.asked())
    # Loaded only now: the engine takes much longer to import than a request to a server.
    from oneflow_ai.client import AsyncOneFlow

    async with AsyncOneFlow(settings=loaded) as flow:
        ask = flow.image if options.task == "image" else flow.speech
        return await ask(prompt, options.place, **options.asked())


def _row(media: Media, file: Path) -> dict[str, Any]:
    """What a file holds; a picture's width and height, where it tells them."""
    width, height = pixels_of(media.data) or (None, None)
    sort, size_bytes = media.media_type, len(media.data)
    return {"file": str(file), "media_type": sort, "bytes": size_bytes, "width": width, "height": height}
