"""What runs inside an extraction child: read a request, extract, reply, until the pipe closes.

The parent starts it with an empty environment and only two pipes. It caps its own memory, CPU time
and open files before it sees the first byte of a document; the parent's deadline is the back-stop.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import stat
import sys
import warnings
from typing import IO, Final

import orjson

from leadline.errors import BrokenDocument, ExtractError, TooLarge
from leadline.extract.builder import called
from leadline.extract.frames import PREFIX, failure_header, limits_from, pack, reply_header
from leadline.extract.registry import extract
from leadline.extract.types import Extracted, Limits

_MOST_FILES: Final = 64
_COLLECT_EACH: Final = 8
_GRACE_SECONDS: Final = 2


def main() -> int:
    """Serve requests on standard input and output until the input ends."""
    requests, replies = _take_pipes()
    _quieten()
    _cap_process()
    gc.freeze()
    gc.disable()  # millions of small objects a document: collecting between documents is enough
    _send(replies, pack({"ready": True}))
    served = 0
    while prefix := requests.read(PREFIX.size):
        header_length, body_length = PREFIX.unpack(prefix)
        header = orjson.loads(requests.read(header_length))
        body = requests.read(body_length)
        if not _serve(header, body, replies):
            return 1
        served += 1
        if served % _COLLECT_EACH == 0:
            gc.collect()
    return 0


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the two pipes for the protocol; whatever a library prints goes nowhere."""
    requests = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    replies = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    return requests, replies


def _quieten() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on


def _cap_process() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it never writes a file


def _cap_document(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + limits.seconds) + _GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _serve(header: dict[str, object], body: bytes, replies: IO[bytes]) -> bool:
    """Answer one request; false when the process is no longer fit for another."""
    limits = limits_from(header["limits"])  # type: ignore[arg-type]  # written by our own parent
    healthy = True
    text = b""
    try:
        _cap_document(limits)
        result = _extract(header, body, limits)
        text = result.text.encode()
        answer = pack(reply_header(result), text)
    except ExtractError as error:
        answer = pack(failure_header(error))
    except MemoryError:
        healthy = False
        answer = _refusal(TooLarge, header, f"needs more than {limits.memory >> 20} MiB of memory to be read")
    except OSError as error:
        answer = _refusal(BrokenDocument, header, f"cannot be read: {error.strerror or error}")
    _send(replies, answer, text)
    return healthy


def _refusal(kind: type[ExtractError], header: dict[str, object], reason: str) -> bytes:
    return pack(failure_header(kind(f"{called(_optional(header, 'name'))} {reason}")))


def _send(replies: IO[bytes], head: bytes, body: bytes = b"") -> None:
    replies.write(head)
    replies.write(body)
    replies.flush()


def _extract(header: dict[str, object], body: bytes, limits: Limits) -> Extracted:
    path, name = _optional(header, "path"), _optional(header, "name")
    return extract(
        _read_file(path, name, limits) if path else body,
        name=name,
        declared=_optional(header, "declared"),
        password=_optional(header, "password"),
        limits=limits,
    )


def _optional(header: dict[str, object], key: str) -> str | None:
    value = header.get(key)
    return value if isinstance(value, str) else None


def _read_file(path: str, name: str | None, limits: Limits) -> bytes:
    """Read a regular file; a link, pipe or device that took its place since the walk is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            msg = f"{called(name)} is no regular file"
            raise BrokenDocument(msg)
        if facts.st_size > limits.bytes:
            msg = f"{called(name)} has {facts.st_size} bytes; at most {limits.bytes} are read"
            raise TooLarge(msg)
        return stream.read(limits.bytes + 1)


if __name__ == "__main__":
    sys.exit(main())
