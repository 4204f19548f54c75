"""What a single value must look like: references, addresses, names and headers. Pure; no message repeats the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from pydantic_core import PydanticCustomError

from oneflow_ai.core.masking import masked
from oneflow_ai.core.money import nanos_from_usd
from oneflow_ai.core.region import is_region

NAME_CHARACTERS_MOST = 64
MODEL_CHARACTERS_MOST = 256
URL_CHARACTERS_MOST = 2048
HEADERS_MOST = 32
VOICES_MOST = 1_000
HEADER_CHARACTERS_MOST = 4096

LITERAL = (
    "a secret is a reference, never a literal: put it in a variable and write env:NAME, "
    "in a file of mode 0600 and write file:PATH, or in the vault and write vault:NAME"
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[!-~]([ \t!-~]*[!-~])?")
_DATABASE_PATH = re.compile(r"(?!:memory:)[^?#\0]*[^?#\0/]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PRINTABLE = re.compile(r"[!-~]+")
_SECRET_WORDS = re.compile(r"key|token|secret|passw|credential|auth(?!or)|cookie")

# Connection-specific fields are RFC 9110 section 7.6.1 (checked 2026-11-24); the rest frame or name the message itself.
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_LATER_SCHEMES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
    "redis": "redis",
    "rediss": "redis",
    "valkey": "valkey",
    "valkeys": "valkey",
}


def wrong(message: str) -> PydanticCustomError:
    """Gives the error that a rule raises; its message holds nothing that was written."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def is_reference(value: str) -> bool:
    """Says whether a text is written as a reference, right or wrong."""
    return value.lower().startswith(("env:", "file:", "vault:"))


def reference(value: str) -> str:
    """Gives the reference of a secret that goes to a provider back; raises for a literal and for no known form."""
    form, _, name = value.partition(":")
    if form != "vault":
        return outside_reference(value)
    if masked(name) != name:
        raise wrong(LITERAL)
    if not is_name(name):
        raise wrong("a reference to the vault is vault: and the name that `oneflow keys set NAME --vault` kept it by")
    return value


def outside_reference(value: str) -> str:
    """Gives the reference of a secret that is kept outside of the vault back; raises as `reference` does."""
    form, _, name = value.partition(":")
    if form == "env" and _VARIABLE.fullmatch(name):
        return value
    if form == "file" and name and name == name.strip() and "\0" not in name:
        return value
    if form == "vault":
        raise wrong("the vault has keys of providers alone: write env:NAME or file:PATH")
    if is_reference(value):
        raise wrong("a reference is env: and the name of a variable, or file: and a path, without spaces between")
    raise wrong(LITERAL)


def host(value: str) -> str:
    """Gives a host name or an IP address in lower case, an IPv6 address without brackets."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if _address(bare) is None and not _HOST_NAME.fullmatch(bare):
        raise wrong("must be a host name or an IP address alone, without scheme, port or path")
    return bare.lower()


def is_loopback(value: str) -> bool:
    """Says whether a host can be reached from this machine only."""
    bare = value.strip("[]").lower()
    address = _address(bare)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return bare == "localhost" if address is None else (mapped or address).is_loopback


def http_url(value: str) -> str:
    """Gives an http or https address without its last slash, scheme and host in lower case."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong("must be an http:// or https:// address with a host")
    if "@" in parts.netloc:
        raise wrong("an address carries no user name or password: use api_key")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise wrong("an address carries no query and no fragment")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def proxy(value: str) -> str:
    """Gives a proxy's address, or the reference to one that carries a password."""
    if is_reference(value):
        return outside_reference(value)
    if "@" in value:
        raise wrong("an address with a password is a secret: put it in a variable and write env:NAME")
    return http_url(value)


def processes(value: int) -> int:
    """Gives the number of worker processes, of which there can be one."""
    if value > 1:
        raise wrong("this version runs one process: write 1, or leave it out")
    return value


def database_url(value: str) -> str:
    """Gives the address of an SQLite file: `sqlite:///FILE`, four slashes before an absolute path."""
    if value.startswith("sqlite:///") and _DATABASE_PATH.fullmatch(value[len("sqlite:///") :]):
        return value
    if later := _LATER_SCHEMES.get(value.partition(":")[0].lower()):
        raise wrong(f"{later} is not supported by this version: write sqlite:///oneflow.db")
    raise wrong("must be a file, sqlite:///NAME.db, without a query")


def state_url(value: str) -> str:
    """Gives the address of the shared state: empty, which is this process."""
    if not value:
        return value
    if later := _LATER_SCHEMES.get(value.partition(":")[0].lower()):
        raise wrong(f"{later} is not supported by this version: leave it empty")
    raise wrong("must be empty")


def headers(value: Mapping[str, str]) -> Mapping[str, str]:
    """Gives extra headers; raises for those that we must set ourselves and for secrets that are no references."""
    if len(value) > HEADERS_MOST:
        raise wrong(f"has more than {HEADERS_MOST} headers")
    names = [name.lower() for name in value]
    if len(set(names)) < len(names):
        raise wrong("has a header twice: upper and lower case are the same")
    for name, content in value.items():
        _header(name.lower(), content)
    return value


def _header(name: str, content: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise wrong("a header's name is letters, digits and hyphens")
    if name in ("authorization", "proxy-authorization") or name.endswith("api-key"):
        raise wrong(f"{name} is not set here: use {'proxy' if name.startswith('proxy') else 'api_key'}")
    if name in _OWN_HEADERS:
        raise wrong(f"{name} belongs to the connection and is not set here")
    if is_reference(content):
        reference(content)
    elif _SECRET_WORDS.search(name):
        raise wrong(f"{name}: {LITERAL}")
    elif len(content) > HEADER_CHARACTERS_MOST or not _HEADER_VALUE.fullmatch(content):
        raise wrong(f"{name}: a header's value is printable ASCII without spaces at its ends")


def printable(value: str) -> str:
    """Gives a name as providers use them: printable ASCII without spaces."""
    if len(value) > MODEL_CHARACTERS_MOST or not _PRINTABLE.fullmatch(value):
        raise wrong(f"must be printable ASCII without spaces, at most {MODEL_CHARACTERS_MOST} characters")
    return value


def voices(value: Mapping[str, str]) -> Mapping[str, str]:
    """Gives a table of voices; raises for one that is too long, or has a name twice."""
    if len(value) > VOICES_MOST:
        raise wrong(f"has more than {VOICES_MOST} voices")
    if not all(0 < len(name) <= NAME_CHARACTERS_MOST and name.isprintable() for name in value):
        raise wrong(f"the name of a voice has 1 to {NAME_CHARACTERS_MOST} characters")
    if len({name.casefold() for name in value}) < len(value):
        raise wrong("has a voice twice: upper and lower case are the same")
    return value


def region(value: str) -> str:
    """Gives a region, which becomes a part of a host's name."""
    if not is_region(value):
        raise wrong("must be a region such as us-east-1")
    return value


def is_name(value: str) -> bool:
    """Says whether a text can name a provider or a route."""
    return len(value) <= NAME_CHARACTERS_MOST and _NAME.fullmatch(value) is not None


def path(value: str) -> str:
    """Gives a file's path."""
    if not value.strip() or "\0" in value:
        raise wrong("must be a file's path")
    return value


def is_plain_http(value: str) -> bool:
    """Says whether an address would carry keys over the network unencrypted."""
    parts = _split(value)
    return parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname or "")


def _split(value: str) -> SplitResult | None:
    if len(value) > URL_CHARACTERS_MOST or not _URL_CHARACTERS.fullmatch(value):
        return None
    try:
        parts = urlsplit(value)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if name and port != 0 and (_address(name) or _HOST_NAME.fullmatch(name)) else None


def _address(value: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(value)
    except ValueError:
        return None


def usd(value: float) -> float:
    """US dollars, to the nano-dollar."""
    try:
        nanos_from_usd(value)
    except ValueError:
        raise wrong("is finer than a nano-dollar: at most 9 decimals") from None
    return value
