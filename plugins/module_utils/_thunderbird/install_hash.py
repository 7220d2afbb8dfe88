# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name under which a program directory stands in profiles.ini.

Thunderbird names itself there by `[Install<HASH>]`, where HASH is CityHash64 (version 1) of the directory that it runs
from, in UTF-16LE without a terminator. The algorithm is Google's (MIT licence); the results were compared with what
Thunderbird 153 writes when it runs from directories of different lengths.
"""

from __future__ import annotations

from codecs import utf_16_le_encode
from struct import unpack_from

_MASK = 0xFFFFFFFFFFFFFFFF
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_MULTIPLIER = 0x9DDFEA08EB382D69


def install_hash(program_directory: str) -> str:
    """The hash of an absolute path of at least two characters, in hexadecimal: `FDC34C9F024745EB`."""
    # str.encode would import a codec, from a place that the person whose rights we have may not be able to read.
    data = utf_16_le_encode(program_directory)[0]
    if len(data) <= 16:
        value = _short(data)
    elif len(data) <= 32:
        value = _up_to_32(data)
    elif len(data) <= 64:
        value = _up_to_64(data)
    else:
        value = _long(data)
    return f"{value:X}"


def _u64(data: bytes, offset: int) -> int:
    return int(unpack_from("<Q", data, offset if offset >= 0 else len(data) + offset)[0])


def _u32(data: bytes, offset: int) -> int:
    return int(unpack_from("<I", data, offset if offset >= 0 else len(data) + offset)[0])


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return ((value >> shift) | (value << (64 - shift))) & _MASK


def _mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _pair(low: int, high: int) -> int:
    first = _mix(((low ^ high) & _MASK) * _MULTIPLIER)
    return _mix(((high & _MASK) ^ first) * _MULTIPLIER) * _MULTIPLIER & _MASK


def _short(data: bytes) -> int:
    length = len(data)
    if length > 8:
        last = _u64(data, -8)
        return _pair(_u64(data, 0), _rotate(last + length, length)) ^ last
    return _pair(length + (_u32(data, 0) << 3), _u32(data, -4))


def _up_to_32(data: bytes) -> int:
    a = _u64(data, 0) * _K1
    b = _u64(data, 8)
    c = _u64(data, -8) * _K2
    d = _u64(data, -16) * _K0
    return _pair(_rotate(a - b, 43) + _rotate(c, 30) + d, a + _rotate(b ^ _K3, 20) - c + len(data))


def _up_to_64(data: bytes) -> int:
    def half(seed: int, words: tuple[int, int], last: int) -> tuple[int, int]:
        total = seed + words[0] + words[1]
        return total + last, (
            _rotate(seed + last, 52) + _rotate(total, 31) + _rotate(seed, 37) + _rotate(seed + words[0], 7)
        )

    front = _u64(data, 0) + (len(data) + _u64(data, -16)) * _K0
    v_first, v_second = half(front, (_u64(data, 8), _u64(data, 16)), _u64(data, 24))
    back = _u64(data, 16) + _u64(data, -32)
    w_first, w_second = half(back, (_u64(data, -24), _u64(data, -16)), _u64(data, -8))
    result = _mix((v_first + w_second) * _K2 + (w_first + v_second) * _K0)
    return _mix(result * _K0 + v_second) * _K2 & _MASK


def _weak(data: bytes, offset: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_u64(data, offset + step) for step in (0, 8, 16, 24))
    a += w
    b = _rotate(b + a + z, 21)
    total = a + x + y
    return (total + z) & _MASK, (b + _rotate(total, 44) + a) & _MASK


def _long(data: bytes) -> int:
    length = len(data)
    x = _u64(data, 0)
    y = _u64(data, -16) ^ _K1
    z = _u64(data, -56) ^ _K0
    v = _weak(data, length - 64, length, y)
    w = _weak(data, length - 32, length * _K1, _K0)
    z += _mix(v[1]) * _K1
    x = _rotate(z + x, 39) * _K1
    y = _rotate(y, 33) * _K1
    for offset in range(0, (length - 1) // 64 * 64, 64):
        x = _rotate(x + y + v[0] + _u64(data, offset + 16), 37) * _K1 & _MASK
        y = _rotate(y + v[1] + _u64(data, offset + 48), 42) * _K1 & _MASK
        x ^= w[1]
        y ^= v[0]
        z = _rotate((z & _MASK) ^ w[0], 33)
        v = _weak(data, offset, v[1] * _K1, x + w[0])
        w = _weak(data, offset + 32, z + w[1], y)
        z, x = x, z
    return _pair(_pair(v[0], w[0]) + _mix(y) * _K1 + z, _pair(v[1], w[1]) + x)
