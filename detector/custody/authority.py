"""Asking a time-stamp authority: the only connection that the product opens besides that to its database.

Only where `[custody] timestamp_url` names one, and only a hash is sent.
"""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPException
from ssl import SSLError
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from detector.custody.timestamp import LARGEST_REPLY
from detector.errors import CustodyError

SILENCE = 10.0
"""Seconds without a byte after which a connection is given up."""

PATIENCE = 30.0
"""Seconds that the whole exchange may take: a server that sends a byte now and then must not hold up a night."""

_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
    "User-Agent": "inversion-detector",
}


def ask(url: str, body: bytes, *, silence: float = SILENCE, patience: float = PATIENCE) -> bytes:
    """Return what an authority answers to a request, at most `LARGEST_REPLY` bytes.

    Args:
        url: http or https; nothing that the server says leads elsewhere.
        body: the request, DER.
        silence: seconds, see above.
        patience: seconds, see above.

    Raises:
        CustodyError: there is no whole answer; the message says why, and holds nothing that the server said but its
            number.
    """
    got: list[bytes | Exception] = []

    def work() -> None:
        try:
            got.append(_exchange(url, body, silence))
        except Exception as error:  # noqa: BLE001 - whoever waits tells it
            got.append(error)

    # In a thread, because not even the look-up of a name can be given a time limit otherwise.
    worker = Thread(target=work, name="time-stamp", daemon=True)
    worker.start()
    worker.join(patience)
    answer = got[0] if got else TimeoutError()
    if isinstance(answer, bytes):
        return answer
    raise CustodyError(f"the time-stamp authority {_told(answer)}") from answer


def _exchange(url: str, body: bytes, silence: float) -> bytes:
    # Without a handler of redirections: an answer that points elsewhere is a failure, not a journey.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor
    ):  # fmt: skip
        opener.add_handler(handler())
    asked = Request(url, data=body, headers=_HEADERS, method="POST")  # noqa: S310 - the settings take http(s) alone
    with opener.open(asked, timeout=silence) as reply:
        answer: bytes = reply.read(LARGEST_REPLY + 1)
    if len(answer) > LARGEST_REPLY:
        raise OverflowError
    return answer


def _told(error: Exception) -> str:
    """Return what happened, in the middle of a sentence."""
    if isinstance(error, HTTPError):
        with suppress(OSError):
            error.close()
        return f"answered with HTTP status {error.code}"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "did not answer in time"
    if isinstance(reason, OverflowError):
        return f"answered with more than {LARGEST_REPLY:,} bytes"
    if isinstance(reason, SSLError):
        return f"cannot be reached: TLS: {reason.reason or 'failed'}"
    if isinstance(reason, OSError):
        return f"cannot be reached: {reason.strerror or type(reason).__name__}"
    return "answered with something that is not HTTP" if isinstance(reason, HTTPException) else "cannot be asked"
