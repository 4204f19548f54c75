"""What a checked request carries beside its text: it is no text to count, and takes tokens by rules of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, unsafe_hash=True)
class Media:
    """Counted as a request is checked.

    `pictures` and `files` are numbers, the latter of those files that stand elsewhere, so that their size is not known.
    `sound_bytes` and `picture_bytes` are the characters of the request that carry sound and pictures in base64.
    """

    pictures: int = 0
    picture_bytes: int = 0
    sound_bytes: int = 0
    files: int = 0

    @property
    def carried_bytes(self) -> int:
        """What of the request is no text."""
        return self.picture_bytes + self.sound_bytes

    def add_picture(self, url: object) -> None:
        """One more picture, by an address that may be a `data:` URL."""
        self.pictures += 1
        if isinstance(url, str) and url[:5].lower() == "data:":
            self.picture_bytes += len(url)


NO_MEDIA = Media()
