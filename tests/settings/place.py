"""A folder to configure a gateway in: its file, its variables, its home."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oneflow_ai.settings import Kind, Loaded, Mistake, OwnPlace, SettingsError, load

HOME = "home"

# Kinds beside the four that everybody has: one with an address, one where the operator gives it, one without keys.
KINDS: Mapping[str, Kind] = {
    "groq": OwnPlace("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "azure": OwnPlace(None, "AZURE_OPENAI_API_KEY"),
    "ollama": OwnPlace("http://127.0.0.1:11434/v1", None, key_required=False),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A working directory with a home inside it."""

    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / HOME

    def write(self, text: str, name: str = "oneflow.toml", mode: int = 0o600) -> Path:
        """Writes a file and gives its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def load(self, text: str | None = None, **variables: str) -> Loaded:
        """Loads with the text as `oneflow.toml`, or without a file, and with the variables."""
        if text is not None:
            self.write(text)
        return load(None, {"ONEFLOW_HOME": HOME, **variables}, self.directory, kinds=KINDS)

    def mistakes(self, text: str | None = None, **variables: str) -> list[Mistake]:
        """Gives the mistakes of a configuration; none when it is right."""
        try:
            self.load(text, **variables)
        except SettingsError as error:
            return list(error.mistakes)
        return []
