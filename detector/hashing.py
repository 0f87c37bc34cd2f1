"""Hashes that are the same on every machine and in every run."""

from __future__ import annotations

import hashlib


def text_hash(value: str) -> int:
    """Return a 63-bit hash of a text, never 0."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def short_id(*parts: str, digits: int = 16) -> str:
    """Return `digits` hexadecimal digits of the SHA-256 of `parts`, which cannot run into each other."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:digits]
