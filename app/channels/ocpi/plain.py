"""Writing a text that people read in printable ASCII, which is all that OCPI 2.1.1 has: without accents."""

import unicodedata
from typing import Final

#: What does not come apart into a letter and an accent, and the signs that people type.
_WRITTEN: Final = str.maketrans(
    {
        "ß": "ss",
        "ẞ": "SS",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "\u0131": "i",
        "\u2018": "'",
        "\u2019": "'",
        "\u201a": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "«": '"',
        "»": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "·": "-",
        "€": "EUR",
    }
)


def plain(text: str) -> str:
    """Take the accents off. A script that has no Latin letters stays as it is."""
    apart = unicodedata.normalize("NFKD", text.translate(_WRITTEN))
    return "".join(one for one in apart if not unicodedata.combining(one))
