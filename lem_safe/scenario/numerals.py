"""Numbers as people write them that YAML does not read as numbers, and how to write them instead."""

import re
from decimal import Decimal, InvalidOperation

_FINITE = "; every number must be finite"
_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def instead(text: str) -> str:
    """How to write a number that came as text, as the end of a message; empty where it seems to be none.

    >>> instead("1%"), instead("1,5"), instead("inf"), instead("0.8"), instead("a few")
    ('; write 0.01', '; write 1.5, with a decimal point', '; every number must be finite', '; write it
    without quotes', '')
    """
    bare = text.strip()
    if re.fullmatch(r"[+-]?\.?(inf|infinity|nan|∞)|[+-]∞", bare, re.IGNORECASE):
        return _FINITE
    if re.fullmatch(r"[+-]?[\d.,]+\s*[%‰]", bare):
        return _share(bare)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", bare):
        point = f", or {bare.replace(',', '.')} if the comma marks decimals" if bare.count(",") == 1 else ""
        return f"; write {bare.replace(',', '')}, without commas{point}"
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d*", bare):
        return f"; write {bare.replace(',', '')}, without commas"
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d*", bare):
        return f"; write {bare.replace('.', '').replace(',', '.')}, with a decimal point"
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", bare):
        return f"; write {bare.replace(',', '.')}, with a decimal point"
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3}){2,}", bare):
        return f"; write {bare.replace('.', '')}, without points between thousands"
    if re.fullmatch(r"[+-]?\d+(\.\d+){2,}", bare):
        return "; a number has one decimal point"
    return _readable(bare)


def truth(text: str) -> str:
    """How to write a truth value that came as text, as the end of a message; empty where it seems to be none.

    >>> truth("yes"), truth("Off"), truth("maybe")
    ('; write true', '; write false', '')
    """
    bare = text.strip().casefold()
    value = _WORDS.get(bare, bare if bare in ("true", "false") else None)
    quotes = ", without quotes" if bare in ("true", "false") else ""
    return f"; write {value}{quotes}" if value else ""


def _share(text: str) -> str:
    """1% as 0.01."""
    number, size = text[:-1].strip().replace(",", "."), 100 if text[-1] == "%" else 1000
    try:
        return f"; write {Decimal(number) / size:f}"
    except InvalidOperation:
        return "; write a share as a number from 0 to 1"


def _readable(text: str) -> str:
    """What Python would read as a number, in digits that YAML reads."""
    try:
        float(text)
    except ValueError:
        return ""
    if not text.isascii():
        return f"; write {''.join(str(int(c)) if c.isdecimal() else c for c in text)}, in the digits 0 to 9"
    return "; write it without quotes"
