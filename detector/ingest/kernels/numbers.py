"""Decimal numbers as JSON writes them to the nearest double.

Up to 2**53 and 10**22 one operation on doubles rounds correctly (Clinger, "How to Read Floating Point Numbers
Accurately", 1990); beyond, the product with a power of five of 128 bits does (Lemire, "Number Parsing at a Gigabyte per
Second", 2021). What neither decides is left to a slower reader.
"""

from __future__ import annotations

import numpy as np

from detector.ingest.kernels.compiling import last_word, tight, word_at

_WORD = np.uint64(8)
_ZERO, _NINE, _MINUS, _PLUS, _POINT = 48, 57, 45, 43, 46
_ONES = np.uint64(0x0101010101010101)
_ZEROS, _TOP = _ONES * np.uint64(_ZERO), _ONES * np.uint64(0x80)
_LOW, _OVER_NINE = _ONES * np.uint64(0x7F), _ONES * np.uint64(0x76)
# Times 1 << 8 k, its highest byte is k.
_PLACES = np.uint64(0x0001020304050607)
_PAIRS = np.uint64(0x000000FF000000FF)
_HUNDREDS, _UNITS = np.uint64(0x000F424000000064), np.uint64(0x0000271000000001)
_TENS = np.array([10**k for k in range(20)], np.uint64)
_EXACT_TENS = np.array([10.0**k for k in range(23)])
_MOST_DIGITS, _MOST_EXPONENT, _EXACT, _MOST_EXACT = 19, 60, 1 << 53, 22
_U0, _U1, _U3, _U7, _U9, _U10 = (np.uint64(k) for k in (0, 1, 3, 7, 9, 10))
_U16, _U32, _U53, _U56, _U63, _U64 = (np.uint64(k) for k in (16, 32, 53, 56, 63, 64))
_DIGIT_ZERO = np.uint64(_ZERO)
_HALF, _NINE_BITS, _TWO_53 = np.uint64(0xFFFFFFFF), np.uint64(0x1FF), np.uint64(1 << 53)


def _power_of_five(exponent: int) -> int:
    """Return the 128 highest bits of 5**exponent: cut off, but for reciprocals up to 5**-27 rounded up."""
    power: int = 5 ** abs(exponent)
    if -27 <= exponent < 0:
        return (1 << (power.bit_length() + 127)) // power + 1
    shown = power << 128 if exponent >= 0 else (1 << (2 * power.bit_length() + 128)) // power + 1
    return shown >> (shown.bit_length() - 128)


_FIVES = [_power_of_five(k) for k in range(-_MOST_EXPONENT, _MOST_EXPONENT + 1)]
_FIVES_HIGH = np.array([five >> 64 for five in _FIVES], np.uint64)
_FIVES_LOW = np.array([five & (2**64 - 1) for five in _FIVES], np.uint64)
# 2**(k - 512): what a mantissa of 53 bits is multiplied with.
_TWOS = np.ldexp(1.0, np.arange(1024) - 512)


@tight
def word_within(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the eight bytes at `at` as a little-endian number, NUL beyond the end of `data`."""
    place, size = np.uint64(at), np.uint64(len(data))
    return word_at(data, place) if place + _WORD <= size else last_word(data, place, size)


@tight
def first_marked(marks):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the number of the lowest byte whose top bit is set in `marks`, which is not zero."""
    return np.int64((((marks & (~marks + _U1)) >> _U7) * _PLACES) >> _U56)


@tight
def _eight(digits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the number that eight digits are, the first of them in the lowest byte."""
    pairs = digits * _U10 + (digits >> _WORD)
    return ((pairs & _PAIRS) * _HUNDREDS + ((pairs >> _U16) & _PAIRS) * _UNITS) >> _U32


@tight
def _digits(data, at, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Append the digits at `at` to `value`; return that and the place after them.

    The last few are read one by one: branches that are guessed right cost less than to wait for how many there are.
    """
    while True:
        digits = word_within(data, at) ^ _ZEROS
        if (((digits & _LOW) + _OVER_NINE) | digits) & _TOP:
            break
        value = value * _TENS[8] + _eight(digits)
        at += 8
    while at < len(data):
        digit = np.uint64(data[at]) - _DIGIT_ZERO
        if digit > _U9:
            break
        value = value * _U10 + digit
        at += 1
    return value, at


@tight
def _product(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the high and the low half of the 128 bits of a product."""
    a_high, a_low, b_high, b_low = a >> _U32, a & _HALF, b >> _U32, b & _HALF
    low, middle = a_low * b_low, a_high * b_low
    crossed = a_low * b_high + (low >> _U32) + (middle & _HALF)
    return a_high * b_high + (middle >> _U32) + (crossed >> _U32), a * b


@tight
def _leading_zeros(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = _U0
    for step in (_U32, _U16, _WORD, np.uint64(4), np.uint64(2), _U1):
        if value >> (_U64 - step) == _U0:
            value <<= step
            count += step
    return count


@tight
def _rounded(digits, exponent):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the double nearest to digits * 10**exponent (digits not 0, the exponent within the table)."""
    zeros = _leading_zeros(digits)
    digits <<= zeros
    five = exponent + _MOST_EXPONENT
    high, low = _product(digits, _FIVES_HIGH[five])
    if high & _NINE_BITS == _NINE_BITS:
        carried = _product(digits, _FIVES_LOW[five])[0]
        low += carried
        if carried > low:
            high += _U1
    upper = high >> _U63
    cut = upper + _U9
    mantissa = high >> cut
    # Halfway between two doubles only if the product is exact, which it is for these exponents: to the even one.
    if low <= _U1 and -4 <= exponent <= 23 and mantissa & _U3 == _U1 and mantissa << cut == high:
        mantissa -= _U1
    mantissa = (mantissa + (mantissa & _U1)) >> _U1
    power = ((217706 * exponent) >> 16) + 63 + np.int64(upper) - np.int64(zeros) - 52
    return np.float64(np.int64(mantissa)) * _TWOS[power + 512]


@tight
def _exponent(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the exponent written at `at` and the place after it, -1 for none or one of many digits."""
    sign = 1
    if at < len(data) and (data[at] == _MINUS or data[at] == _PLUS):
        sign = -1 if data[at] == _MINUS else 1
        at += 1
    value, after = _digits(data, at, _U0)
    return sign * np.int64(value), after if 0 < after - at < 5 else -1


@tight
def _scaled(digits, exponent, negative):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return digits * 10**exponent, NaN where that is left to others."""
    small = np.float64(np.int64(digits))
    if digits <= _TWO_53 and -_MOST_EXACT <= exponent <= _MOST_EXACT:
        value = small / _EXACT_TENS[-exponent] if exponent < 0 else small * _EXACT_TENS[exponent]
    elif digits == _U0 or not -_MOST_EXPONENT <= exponent <= _MOST_EXPONENT:
        return np.nan
    else:
        value = _rounded(digits, exponent)
    return -value if negative else value


@tight
def read_number(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Read the JSON number at `at`; return it and the place after it, -1 for what is none or is left to others."""
    size = len(data)
    negative = at < size and data[at] == _MINUS
    if negative:
        at += 1
    first = at
    digits, at = _digits(data, at, _U0)
    whole, exponent = at - first, 0
    below_one = whole == 1 and data[first] == _ZERO
    if whole == 0 or (whole > 1 and data[first] == _ZERO):
        return np.nan, -1
    integer = True
    if at < size and data[at] == _POINT:
        integer = False
        fraction = at + 1
        at = fraction
        while below_one and at < size and data[at] == _ZERO:
            at += 1
        # Zeros at the front are no digits that the product must hold.
        first = at if below_one else at - whole
        digits, at = _digits(data, at, digits)
        exponent = fraction - at
        if exponent == 0:
            return np.nan, -1
    if at - first > _MOST_DIGITS:
        return np.nan, -1
    if at < size and data[at] | 32 == 101:
        integer = False
        given, at = _exponent(data, at + 1)
        exponent += given
    value = _scaled(digits, exponent, negative)
    return value, -1 if np.isnan(value) or (integer and negative and digits == _U0) else at
