"""A time-stamp authority of our own: certificates and answers by openssl, behind a small HTTP server."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REFUSAL = bytes.fromhex("30053003020102")
"""PKIStatus 2, rejection, and nothing else."""

GRANTED = bytes.fromhex("3003020100")
"""PKIStatus 0."""

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_EXTENSIONS = """\
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage={purpose}
"""
_CONFIGURATION = """\
[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
"""


@dataclass(frozen=True)
class Authority:
    """Certificates and what it takes to answer."""

    folder: Path

    @property
    def roots(self) -> Path:
        return self.folder / "ca.pem"

    def answer(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        self.openssl("ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    def answer_by_cms(self, query: bytes) -> bytes:
        """Answer in the same words, signed by a certificate of the same root that is none for time stamps."""
        (self.folder / "query").write_bytes(query)
        self.openssl("ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-token_out", "-out", "token")
        self.openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", "token", "-out", "words")
        signer = ("-signer", "other.pem", "-inkey", "other.key", "-md", "sha256", "-cades")
        kind = ("-econtent_type", "id-smime-ct-TSTInfo", "-nodetach", "-binary", "-outform", "DER")
        self.openssl("cms", "-sign", *signer, *kind, "-in", "words", "-out", "signed")
        content = GRANTED + (self.folder / "signed").read_bytes()
        return b"\x30\x82" + len(content).to_bytes(2, "big") + content

    def openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def authority(folder: Path, name: str = "Test authority") -> Authority:
    """Make a root, an authority whose certificate leads to it, and another certificate of the same root."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on PATH to make a time-stamp authority with")
    folder.mkdir(parents=True)
    made = Authority(folder)
    (folder / "root.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    (folder / "tsa.ext").write_text(_EXTENSIONS.format(purpose="critical,timeStamping"))
    (folder / "other.ext").write_text(_EXTENSIONS.format(purpose="critical,codeSigning,emailProtection"))
    (folder / "ts.cnf").write_text(_CONFIGURATION)
    (folder / "serial").write_text("01\n")
    for key, subject in (("ca", f"/CN=Root of {name}"), ("tsa", f"/O=Tests/CN={name}"), ("other", "/CN=Other")):
        made.openssl("req", "-new", *_KEY, "-keyout", f"{key}.key", "-out", f"{key}.csr", "-subj", subject)
    signed = ("x509", "-req", "-days", "30")
    made.openssl(*signed, "-in", "ca.csr", "-signkey", "ca.key", "-extfile", "root.ext", "-out", "ca.pem")
    issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    for key in ("tsa", "other"):
        made.openssl(*signed, "-in", f"{key}.csr", *issuer, "-extfile", f"{key}.ext", "-out", f"{key}.pem")
    return made


@dataclass
class Server:
    """Where an authority can be asked, and how it answers.

    Attributes:
        answer: from a query to an answer.
        status: of HTTP.
        headers: besides the length.
        wait: seconds before the first byte.
        pause: seconds between bytes; 0 sends all at once.
        asked: the queries so far.
    """

    url: str
    answer: Callable[[bytes], bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0
    pause: float = 0
    asked: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def serving(answer: Callable[[bytes], bytes]) -> Iterator[Server]:
    """Serve on a free port of this machine until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(state.wait)
            body = state.answer(state.asked[-1])
            with contextlib.suppress(OSError):
                self.send_response(state.status)
                for name, value in {**state.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self._send(body)

        def _send(self, body: bytes) -> None:
            for start in range(0, len(body), 1 if state.pause else len(body)):
                self.wfile.write(body[start : start + 1] if state.pause else body)
                time.sleep(state.pause)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Server(f"http://127.0.0.1:{server.server_address[1]}/tsr", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
