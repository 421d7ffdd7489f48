"""The written JSON dialect in the plainest Python: one document, character by character, no arrowflow, no numpy.

It is slow and recursive on purpose (depth is bounded before it recurses). docs/json-dialect.md is its text.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from importlib import resources
from zoneinfo import ZoneInfo

DIGITS = "0123456789"
WORD = DIGITS + "+-._ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
BITS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
YEAR_1 = -62_135_596_800_000_000
YEAR_10000 = 253_402_300_800_000_000


class Bad(Exception):
    pass


@dataclass
class Number:
    text: str


@dataclass
class Node:
    """A parsed value and the text it was parsed from."""

    value: object
    text: str


@dataclass
class Field:
    path: tuple[str, ...]
    type: str
    required: bool = False


@dataclass
class Limits:
    max_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64
    max_fields: int = 1024
    max_string_bytes: int = 1024 * 1024


def judge(value, fields, coerce=False, limits=None):
    """Return ("tombstone",), ("ok", [values]) or ("bad", reason). Instants are microseconds, dates days."""
    if value is None:
        return ("tombstone",)
    try:
        root = document(value, limits or Limits())
        return ("ok", [field_value(root, field, coerce) for field in fields])
    except Bad as bad:
        return ("bad", bad.args[0])


# ---- text --------------------------------------------------------------------------------------------------


def document(value, limits):
    if len(value) > limits.max_bytes:
        raise Bad("too_large")
    if len(value) == 0:
        raise Bad("empty")
    if len(value) >= 5 and value[0] == 0:
        raise Bad("confluent_framing")
    try:
        text = str(value, "utf-8", "strict")
    except UnicodeDecodeError:
        raise Bad("utf8") from None
    if text[0] == "\ufeff":
        text = text[1:]
    if all(character in " \t\n\r" for character in text):
        raise Bad("empty")
    parser = Parser(text, limits)
    node = parser.value(0)
    parser.space()
    if parser.at < len(text):
        raise Bad("trailing_data")
    if not isinstance(node.value, dict):
        raise Bad("not_object")
    return node


class Parser:
    def __init__(self, text, limits):
        self.text, self.limits, self.at, self.members = text, limits, 0, 0

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else None

    def take(self, wanted):
        if self.peek() != wanted:
            raise Bad("syntax")
        self.at += 1

    def space(self):
        while self.peek() in (" ", "\t", "\n", "\r"):
            self.at += 1

    def value(self, depth):
        self.space()
        start = self.at
        first = self.peek()
        if first in ("{", "["):
            if depth == self.limits.max_depth:
                raise Bad("too_deep")
            value = self.object(depth + 1) if first == "{" else self.array(depth + 1)
        else:
            value = self.string() if first == '"' else self.word()
        return Node(value, self.text[start : self.at])

    def object(self, depth):
        members = {}
        self.take("{")
        self.space()
        while self.peek() != "}":
            if members:
                self.take(",")
                self.space()
            name = self.string()
            self.space()
            self.take(":")
            self.members += 1
            if self.members > self.limits.max_fields:
                raise Bad("too_large")
            members[name] = self.value(depth)
            self.space()
        self.at += 1
        return members

    def array(self, depth):
        elements = []
        self.take("[")
        self.space()
        while self.peek() != "]":
            if elements:
                self.take(",")
            elements.append(self.value(depth))
            self.space()
        self.at += 1
        return elements

    def string(self):
        self.take('"')
        units, size, surrogates = [], 0, False
        while self.peek() != '"':
            start = self.at
            units.append(self.unit())
            size += len(self.text[start : self.at].encode())
            if size > self.limits.max_string_bytes:
                raise Bad("too_large")
            surrogates |= "\ud800" <= units[-1] <= "\udfff"
        self.at += 1
        text = "".join(units)
        if not surrogates:
            return text
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise Bad("surrogate") from None

    def unit(self):
        character = self.peek()
        if character is None or character < " ":
            raise Bad("syntax")
        self.at += 1
        if character != "\\":
            return character
        escape = self.peek()
        self.at += 1
        if escape in SHORT:
            return SHORT[escape]
        code = self.text[self.at : self.at + 4]
        if escape != "u" or len(code) < 4 or any(digit not in "0123456789abcdefABCDEF" for digit in code):
            raise Bad("syntax")
        self.at += 4
        return chr(int(code, 16))

    def word(self):
        start = self.at
        while self.peek() is not None and self.peek() in WORD:
            self.at += 1
        word = self.text[start : self.at]
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        if is_number(word):
            return Number(word)
        raise Bad("syntax")


def is_number(word):
    mantissa, mark, exponent = word.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.removeprefix("-").partition(".")
    return (
        all_digits(whole)
        and (whole == "0" or whole[0] != "0")
        and (not point or all_digits(fraction))
        and (not mark or all_digits(exponent[1:] if exponent[:1] in ("+", "-") else exponent))
    )


def all_digits(text):
    return len(text) > 0 and all(character in DIGITS for character in text)


# ---- values ------------------------------------------------------------------------------------------------


def field_value(root, field, coerce):
    node = root
    for step in field.path:
        if node is None or node.value is None:
            node = None
        elif not isinstance(node.value, dict):
            raise Bad("type")
        else:
            node = node.value.get(step)
    if node is None or node.value is None:
        if field.required:
            raise Bad("required")
        return None
    if field.type == "json":
        return node.text
    return typed(node.value, field.type, coerce)


def typed(value, type_, coerce):
    numeric = (
        type_ in BITS
        or type_.startswith(("float", "decimal"))
        or type_ in [f"timestamp[{unit}]" for unit in ("s", "ms", "us", "ns")]
    )
    if coerce and isinstance(value, str):
        if numeric and is_number(value):
            value = Number(value)
        elif type_ == "bool" and value in ("true", "false"):
            value = value == "true"
    expected = Number if numeric else bool if type_ == "bool" else str
    if type(value) is not expected:
        raise Bad("type")
    if type_ in ("string", "bool"):
        return value
    if type_ == "date":
        return days(value)
    if type_.startswith("timestamp[iso"):
        return iso(value, [part.strip() for part in type_[10:-1].split(",")][1:])
    if type_.startswith("float"):
        return floating(value.text, type_)
    if type_.startswith("decimal"):
        digits, places = (int(part) for part in type_[8:-1].split(","))
        return decimal(value.text, digits, places)
    if type_ in BITS:
        sign, bits = BITS[type_]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        number = whole_number(value.text)
        if not low <= number <= high:
            raise Bad("overflow")
        return number
    count = whole_number(value.text)
    per_second = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[type_[10:-1]]
    return in_years(Fraction(count * 10**6, per_second).__floor__())


def whole_number(text):
    """Return the integer by exact arithmetic."""
    number = exact(text)
    if number.denominator != 1:
        raise Bad("type")
    return number.numerator


def exact(text):
    """Return the number.

    Exponents larger than the text is long by 50 are cut to that: such a number is 0, has more than 38 places, or is
    beyond every column's range, just like the one it stands for.
    """
    mantissa, _, exponent = text.lower().partition("e")
    most = len(mantissa) + 50
    return Fraction(mantissa) * Fraction(10) ** max(-most, min(int(exponent or 0), most))


def decimal(text, digits, places):
    """Return the number as a fraction, if it is a whole number of the last place and has no more digits."""
    number = exact(text)
    if (number * 10**places).denominator != 1:
        raise Bad("scale")
    if abs(number) >= Fraction(10) ** (digits - places):
        raise Bad("overflow")
    return number


def floating(text, type_):
    number = float(text)
    if type_ == "float32":
        try:
            (number,) = struct.unpack("f", struct.pack("f", number))
        except OverflowError:
            raise Bad("overflow") from None
    if number in (float("inf"), float("-inf")):
        raise Bad("overflow")
    return 0.0 if number == 0 else number


def days(text):
    if len(text) != 10 or text[4] != "-" or text[7] != "-" or not all_digits(text[:4] + text[5:7] + text[8:]):
        raise Bad("date")
    try:
        return date.fromisoformat(text).toordinal() - 719_163
    except ValueError:
        raise Bad("date") from None


def iso(text, zone):
    """Split from the left: date, separator, clock, fraction, offset."""
    day, separator, rest = text[:10], text[10:11], text[11:]
    try:
        days(day)
    except Bad:
        raise Bad("timestamp") from None
    if separator not in ("T", "t", " ") or separator == "":
        raise Bad("timestamp")
    clock, fraction, offset = split_clock(rest, bool(zone))
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > 59:
        raise Bad("timestamp")
    naive = datetime.fromisoformat(day) + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if zone:
        return in_years(from_zone(naive, *zone))
    if offset is None:
        raise Bad("timestamp")
    return in_years(microseconds(naive) - offset * 60_000_000)


def shaped(text, shape):
    return len(text) == len(shape) and all(
        c in DIGITS if s == "d" else c == s for c, s in zip(text, shape, strict=True)
    )


def split_clock(rest, local):
    """Return ((h, m, s), microseconds, offset minutes or None); the shape alone is checked, and the offset's size."""
    size = 8 if shaped(rest[:8], "dd:dd:dd") else 5
    if not shaped(rest[:size], "dd:dd:dd"[:size]):
        raise Bad("timestamp")
    clock = [int(part) for part in rest[:size].split(":")] + [0] * (size == 5)
    rest = rest[size:]
    fraction = ""
    if size == 8 and rest[:1] in (".", ","):
        rest = rest[1:]
        while rest[:1] and rest[0] in DIGITS:
            fraction, rest = fraction + rest[0], rest[1:]
        if not fraction:
            raise Bad("timestamp")
    return clock, int((fraction + "000000")[:6]), offset_minutes(rest, local)


def offset_minutes(text, local):
    if text == "":
        return None
    if text in ("Z", "z"):
        minutes = 0
    elif text[0] in "+-" and any(shaped(text[1:], shape) for shape in ("dd", "dddd", "dd:dd")):
        hours, minutes = int(text[1:3]), int(text[3:].replace(":", "") or 0)
        minutes = (hours * 60 + minutes) * (1 if text[0] == "+" else -1) if hours < 24 and minutes < 60 else None
    else:
        minutes = None
    if minutes is None or local:
        raise Bad("timestamp")
    return minutes


def microseconds(naive):
    return (naive - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001


def from_zone(naive, name, fold="earlier"):
    """Try both offsets the zone may have at that reading and keep those under which its clock shows it."""
    with resources.files("tzdata").joinpath("zoneinfo", name).open("rb") as rules:
        zone = ZoneInfo.from_file(rules)
    hits = set()
    for trial in (0, 1):
        offset = naive.replace(tzinfo=zone, fold=trial).utcoffset()
        instant = microseconds(naive) - offset // timedelta(microseconds=1)
        try:
            utc = naive.replace(tzinfo=UTC) - offset
            shown = utc.astimezone(zone).replace(tzinfo=None)
        except OverflowError:
            shown = naive
        if shown == naive:
            hits.add(instant)
    if not hits:
        raise Bad("timestamp_nonexistent")
    return min(hits) if fold == "earlier" else max(hits)


def in_years(us):
    if not YEAR_1 <= us < YEAR_10000:
        raise Bad("timestamp_range")
    return us
