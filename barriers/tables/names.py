"""The names of columns as files write them, and as rules do."""

import keyword
import re


def identifier(name: str) -> str:
    """`name` as an identifier: anything but letters, digits and _ becomes one _, so 'mean perimeter' is
    mean_perimeter.

    >>> identifier("PM2.5"), identifier("2nd"), identifier("class"), identifier("--")
    ('PM2_5', 'x2nd', 'class_', '')
    """
    word = re.sub(r"\W+", "_", name.strip()).strip("_")
    if word[:1].isdigit():
        word = f"x{word}"
    return f"{word}_" if keyword.iskeyword(word) else word


def unquoted(name: str) -> str:
    """A name without the backticks around it.

    >>> unquoted("`fixed acidity`"), unquoted("load")
    ('fixed acidity', 'load')
    """
    bare = name.strip()
    return bare[1:-1].strip() if len(bare) > 2 and bare[0] == bare[-1] == "`" else bare
