"""Normalise texts for comparison: ignore case, spaces, punctuation and Unicode variants."""

import unicodedata

APART = "PSZC"  # Unicode categories that separate words: punctuation, symbols, spaces, controls


def words_of(text: str) -> list[str]:
    r"""Return the words of a text: NFKC, case-folded, split at all but letters, marks and digits.

    Invisible format characters (category Cf) are removed, since they occur inside words too.

    Example:
        >>> words_of("Who is\u00a0 \u201cZo\u200be\u0308\u201d?") == ["who", "is", "zo\u00eb"]
        True
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if text.isascii():
        return "".join(c if c.isalnum() else " " for c in text).split()
    return "".join(map(_kept, text)).split()


def _kept(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Cf":
        return ""
    return " " if category[0] in APART else letter
