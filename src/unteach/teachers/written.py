"""Split names into words and find these words in texts, for many scripts."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
BEFORE = {"ARABIC": "وفبكل", "HEBREW": "והבלמשכ"}  # one-letter prefixes of a name
PARTICLES = 3  # most letters of a Korean particle after a name
VOWELS = "аяоеиыуюьй"
ENDINGS = frozenset(
    str.split("а я о е у ю ы и ь й ой ей ою ею ом ем ём ым им ого его ому ему ый ий ая ые ых")
) | {""}
"""Case endings of Cyrillic names, after the stem."""
TITLES = frozenset(str.split("Dr Prof Mr Mrs Ms Miss Sir Dame Lord Lady St Saint Jr Sr"))
KIN = frozenset(str.split("بن ابن بنت أبو آل"))
BETWEEN = re.compile(r"[\s\-\u2010\u2011.,_\u00b7\u30fb]+")  # separators between words
WORD = re.compile(r"[^\W_]+")


class WordPlace(NamedTuple):
    """An occurrence of a word in a text.

    Attributes:
        start: index of its first character.
        end: index after its last character.
        ending: the ending that replaces its own; None if it is not inflected.
    """

    start: int
    end: int
    ending: str | None = None


class NameWord(NamedTuple):
    """A word of a name.

    Attributes:
        text: the word.
        slot: 0 for a first name, 1 for what follows.
        name: index of the name that it belongs to, from 0.
        bare_genitive: as in `occurrences`.
    """

    text: str
    slot: int
    name: int = 0
    bare_genitive: bool = True


def script(word: str) -> str:
    """Return the Unicode script of a word's first letter.

    Example:
        >>> script("Ada"), script("Ада"), script("田中"), script("7")
        ('LATIN', 'CYRILLIC', 'CJK', '')
    """
    letter = next((c for c in word if c.isalpha()), " ")
    return unicodedata.name(letter, "").split(" ")[0].split("-")[0] if letter != " " else ""


def name_parts(name: str) -> list[NameWord]:
    """Return the words of a name that can be replaced, without titles and particles.

    In a script without spaces the complete name comes first, since texts write it as one word.

    Example:
        >>> [part.text for part in name_parts("Dr. Anna-Lena van der Berg")]
        ['Anna', 'Lena', 'Berg']
        >>> [part.slot for part in name_parts("Dr. Anna-Lena van der Berg")]
        [0, 0, 1]
        >>> [part.text for part in name_parts("田中 太郎")]
        ['田中太郎', '田中', '太郎']
    """
    words = [word.strip("'’\"“”()") for word in BETWEEN.split(name)]
    if script(name) in UNSPACED:
        whole = NameWord("".join(words), 0)
        parts = [NameWord(word, min(k, 1)) for k, word in enumerate(filter(None, words))]
        return [whole, *(p for p in parts if len(p.text) > 1 and p != whole)]
    capitals = any(word[:1].isupper() for word in words)
    kept, first = list[NameWord](), True
    for word, gap in zip(words, _gaps(name, words), strict=True):
        small = capitals and not word[:1].isupper()
        if len(word) < 2 or small or word in TITLES or word in KIN:
            continue
        first = first and (not kept or gap == "-")
        kept.append(NameWord(word, 0 if first else 1))
    return kept


def _gaps(name: str, words: list[str]) -> list[str]:
    """Return the separator before each word, hyphens unified as "-"."""
    gaps = ["", *BETWEEN.findall(name)]
    return ["-" if gap in ("-", "\u2010", "\u2011") else gap for gap in gaps[: len(words)]]


def occurrences(text: str, word: str, *, bare_genitive: bool = True) -> Iterator[WordPlace]:
    """Yield the occurrences of a word in a text, also inflected or with affixes of its script.

    Latin names may have a genitive s before a noun, Cyrillic names any case. Arabic and Hebrew
    names may have a one-letter prefix, Korean names a particle. Chinese, Japanese and Thai have no
    spaces between words, so a name occurs wherever its characters do.

    Args:
        text: the text to search.
        word: of a name.
        bare_genitive: whether a Latin name with an s is its genitive; in English it is the plural.

    Example:
        >>> [place.start for place in occurrences("Anna, Annas hus, Anna's, Annabel", "Anna")]
        [0, 6, 17]
        >>> [place.ending for place in occurrences("Анна видит Анну", "Анна")]
        [None, 'у']
        >>> [place.start for place in occurrences("私は田中太郎です", "田中")]
        [2]
    """
    kind = script(word)
    stem = stem_of(word) if kind == "CYRILLIC" else word
    start = text.find(stem) if stem else -1
    while start >= 0:
        end = start + len(stem)
        place = _place(text, word, kind, start, end, bare_genitive)
        if place:
            yield place
        start = text.find(stem, place.end if place else start + 1)


def stem_of(word: str) -> str:
    """Return the part of a Cyrillic name that is the same in all cases.

    Example:
        >>> stem_of("Анна"), stem_of("Иван"), stem_of("Ада")
        ('Анн', 'Иван', 'Ад')
    """
    return word[:-1] if word[-1:] in VOWELS and len(word) > 2 else word


def inflected(word: str, ending: str | None) -> str:
    """Replace a name's ending; None leaves it unchanged.

    Example:
        >>> inflected("Ольга", "ы"), inflected("Ada", None)
        ('Ольгы', 'Ada')
    """
    return word if ending is None else stem_of(word) + ending


def alike(word: str, other: str) -> bool:
    """Whether two names have the same script and, in Cyrillic, the same declension.

    Example:
        >>> alike("Анна", "Ольга"), alike("Анна", "Иван"), alike("Ada", "Bo"), alike("Ada", "田中")
        (True, False, True, False)
    """
    kind = script(word)
    declined = kind == "CYRILLIC" and (stem_of(word) == word) != (stem_of(other) == other)
    return kind == script(other) and not declined


def _place(
    text: str, word: str, kind: str, start: int, end: int, bare_genitive: bool
) -> WordPlace | None:
    if kind in UNSPACED:
        return WordPlace(start, end)
    free = not _joined(text, start - 1)
    if not free and not (text[start - 1] in BEFORE.get(kind, "") and not _joined(text, start - 2)):
        return None
    last = end
    while _joined(text, last):
        last += 1
    rest = text[end:last]
    if kind == "CYRILLIC":
        own = word[len(stem_of(word)) :]
        return WordPlace(start, last, None if rest == own else rest) if rest in ENDINGS else None
    of_a_noun = text[last : last + 1] == " " and text[last + 1 : last + 2].isalpha()
    genitive = kind == "LATIN" and rest == "s" and len(word) > 2 and of_a_noun and bare_genitive
    particle = kind == "HANGUL" and len(rest) <= PARTICLES
    return WordPlace(start, end) if not rest or genitive or particle else None


def _joined(text: str, place: int) -> bool:
    """Whether the character at an index is part of a word: a letter, a digit or a mark."""
    if not 0 <= place < len(text):
        return False
    return text[place].isalnum() or unicodedata.category(text[place])[0] == "M"
