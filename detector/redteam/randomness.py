"""Chance, all of it from one seed: every actor draws from a stream of its own."""

from __future__ import annotations

import hashlib

import numpy as np

_USER_AGENTS = (
    "aiohttp/3.10.5",
    "Apache-HttpClient/5.3 (Java/17)",
    "axios/1.7.7",
    "curl/8.9.1",
    "Go-http-client/1.1",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/129.0",
    "okhttp/4.12.0",
    "python-httpx/0.27.2",
    "python-requests/2.32.3",
)


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to `names` under `seed`.

    A stream depends on its names alone: adding an actor to a scenario leaves the doings of all others as they were.
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def hex_ids(rng: np.random.Generator, count: int, digits: int) -> list[str]:
    """Return `count` ids of `digits` (even) hexadecimal digits each."""
    text = rng.bytes(count * digits // 2).hex()
    return [text[start : start + digits] for start in range(0, count * digits, digits)]


def user_agent(rng: np.random.Generator) -> str:
    """Return a user agent; attackers and ordinary clients draw from the same list."""
    return _USER_AGENTS[int(rng.integers(len(_USER_AGENTS)))]


def private_address(rng: np.random.Generator) -> str:
    """Return an IPv4 address in 10.0.0.0/8."""
    first, second, third = (int(part) for part in rng.integers(1, 255, size=3))
    return f"10.{first}.{second}.{third}"
