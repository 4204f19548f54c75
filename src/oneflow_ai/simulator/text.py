"""Plain text of realistic length, always the same for the same prompt, and the count of tokens that goes with it.

A token is four bytes of UTF-8, rounded up: near what the vendors' own counters give for English, and exact here, since
a stream cuts ASCII text into events of four bytes.
"""

from __future__ import annotations

from zlib import crc32

TOKEN_BYTES = 4
_EXCERPT_CHARACTERS = 80
_SEED_CHARACTERS = 2_048
_SENTENCES_SPREAD = 9
_SENTENCE_BYTES_LEAST = 50
_THOUGHT_SALT = 1_000

_SENTENCES = (
    "The short version is that it depends on what you want to keep and what you can afford to lose.",
    "Start with the smallest case that still shows the problem, and write down what you expect to see.",
    "Most people find the second step harder than the first, because it asks for a decision.",
    "There are three things to look at: the size of the work, the time it may take, and who will check it.",
    "A good rule is to change one thing at a time and to look at the result before the next change.",
    "If the numbers do not agree, trust the ones that somebody else can measure again.",
    "In practice the simple way is fast enough, and it is much easier to explain.",
    "It helps to name the parts before you talk about how they fit together.",
    "Two cases deserve care: the empty one, and the one that is larger than anybody planned for.",
    "Once that works, the rest is mostly patience and a list that gets shorter every day.",
    "An example makes this clearer: think of a library where every book has exactly one place.",
    "You can always add more later, but it is rare that anybody takes something away.",
    "The first attempt will teach you more than the plan did, so make it early and make it cheap.",
    "What matters in the end is whether the person who asked can use the answer.",
    "Keep a note of the things you left out, with the reason, for the next reader.",
    "When in doubt, measure; when the measurement is in doubt, measure it in another way.",
    "The common mistake here is to mix up how often something happens with how much it costs.",
    "Seen from a distance the picture is calm, and the surprises are all near the edges.",
    "Ask what would have to be true for the opposite to hold, and check that first.",
    "This is also where the older advice still holds: finish one piece before you open another.",
    "Some of it can be done by a machine, and the part that cannot is usually the interesting one.",
    "If time is short, do the part that cannot be undone last.",
    "Write the answer in the words of the question, and most misunderstandings disappear.",
    "Finally, look at it again tomorrow: what still reads well then is probably right.",
)


def compose(prompt: str, salt: int = 0, tokens_wanted: int = 0) -> str:
    """Sentences that answer a prompt and quote its beginning; `salt` tells several answers to one prompt apart."""
    return _written(f'This is a simulated answer to "{excerpt(prompt)}".', prompt, salt, tokens_wanted)


def think(prompt: str, tokens_wanted: int) -> str:
    """Sentences that go before an answer, of so many tokens."""
    return _written(f'The question is "{excerpt(prompt)}".', prompt, _THOUGHT_SALT, tokens_wanted)


def _written(opening: str, prompt: str, salt: int, tokens_wanted: int) -> str:
    seed = crc32(prompt[:_SEED_CHARACTERS].encode("utf-8", "replace"), (len(prompt) + 7919 * salt) & 0xFFFFFFFF)
    count = 1 + seed % _SENTENCES_SPREAD
    if tokens_wanted:
        count = TOKEN_BYTES * tokens_wanted // _SENTENCE_BYTES_LEAST + 1
    start = (seed >> 8) % len(_SENTENCES)
    sentences = (_SENTENCES * (2 + count // len(_SENTENCES)))[start : start + count]
    text = " ".join((opening, *sentences))
    return cut(text, tokens_wanted) if tokens_wanted else text


def excerpt(prompt: str) -> str:
    """The first words of a prompt on one line, at most 80 characters."""
    words = " ".join(prompt[: 2 * _EXCERPT_CHARACTERS].split())
    return words if len(words) <= _EXCERPT_CHARACTERS else words[: _EXCERPT_CHARACTERS - 3].rstrip() + "..."


def tokens(text: str) -> int:
    """How many tokens a text counts."""
    return -(-utf8_bytes(text) // TOKEN_BYTES)


def utf8_bytes(text: str) -> int:
    """The length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, tokens_most: int) -> str:
    """The longest beginning of a text that counts at most so many tokens."""
    bytes_most = TOKEN_BYTES * tokens_most
    if text.isascii():
        return text[:bytes_most]
    return text.encode("utf-8", "surrogatepass")[:bytes_most].decode("utf-8", "ignore")


def pieces(text: str) -> list[str]:
    """A text cut as a stream sends it: a token each, never inside a character."""
    if text.isascii():
        return [text[start : start + TOKEN_BYTES] for start in range(0, len(text), TOKEN_BYTES)]
    found, piece, size = [], "", 0
    for character in text:
        width = utf8_bytes(character)
        if size + width > TOKEN_BYTES:
            found.append(piece)
            piece, size = "", 0
        piece += character
        size += width
    return [*found, piece]
