"""A proxy before an S3 server that counts, breaks and kills. Standard library only.

It speaks HTTP/1.1 with `Content-Length` and chunked bodies, reads each request and each answer whole, and asks a
function what is to become of the pair. What S3 checks and the test server does not, it checks in its place: a body
whose SHA-256 is not the one that was signed is refused, as S3 refuses it.
"""

import asyncio
import hashlib
import random
import socket
import struct
import threading
from dataclasses import dataclass, field

MISMATCH = (
    b"<?xml version=\"1.0\"?><Error><Code>XAmzContentSHA256Mismatch</Code>"
    b"<Message>The provided 'x-amz-content-sha256' header does not match what was computed.</Message></Error>"
)
DENIED = b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
BUSY = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass
class Message:
    """A request or an answer: its head, with the empty line, and its body."""

    head: bytes
    body: bytes

    @property
    def line(self):
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name):
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None

    @property
    def bytes(self):
        return self.head + self.body


@dataclass
class Fault:
    """What becomes of a request: `status`, `reset`, `stall`, `truncate`, `flip_answer`, `flip_request` or `call`."""

    kind: str
    # For `status`: what is answered. For `stall`: seconds.
    value: float = 500
    # Whether the server gets the request all the same.
    forward: bool = False
    # For `call`: what is called, once the server has answered if it is forwarded.
    action: object = None
    seed: int = 0


@dataclass
class Counted:
    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    faults: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)


class Proxy:
    """Listens on a port of its own in a thread of its own. `decide(number, request)` gives a fault or nothing."""

    def __init__(self, upstream_port, decide=None):
        self.upstream_port = upstream_port
        self.decide = decide or (lambda number, request: None)
        self.counted = Counted()
        # In place of a server that does not.
        self.checks_digests = True
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def reset(self, decide=None):
        """Counts from zero, with another function."""
        self.decide = decide or (lambda number, request: None)
        self.counted = Counted()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _serve(self, reader, writer):
        try:
            while request := await read_message(reader):
                number = self.counted.requests
                self.counted.requests += 1
                self.counted.bytes_received += len(request.bytes)
                self.counted.lines.append(request.line)
                fault = self.decide(number, request)
                if fault:
                    name = f"{fault.kind} {int(fault.value)}" if fault.kind == "status" else fault.kind
                    self.counted.faults[name] = self.counted.faults.get(name, 0) + 1
                if not await self._answer(request, fault, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, request, fault, writer):
        """Answers one request; false if the connection is over."""
        kind = fault.kind if fault else None
        rng = random.Random(fault.seed) if fault else None
        if kind == "flip_request" and request.body:
            request = Message(request.head, flipped(request.body, rng))
        if kind == "call" and not fault.forward:
            fault.action()
            return reset(writer)
        answer = None
        if fault is None or fault.forward or kind in ("truncate", "flip_answer", "flip_request"):
            answer = await self._forward(request)
        if kind == "call":
            fault.action()
            return reset(writer)
        if kind == "status":
            answer = error(int(fault.value), DENIED if fault.value == 403 else BUSY)
        elif kind == "reset":
            return reset(writer)
        elif kind == "stall":
            await asyncio.sleep(fault.value)
            return reset(writer)
        elif kind == "flip_answer":
            head, body = answer.head, answer.body
            if body and rng.random() < 0.8:
                answer = Message(head, flipped(body, rng))
            else:
                answer = Message(flipped(head, rng), body)
        data = answer.bytes
        if request.line.startswith("HEAD "):
            data = answer.head
        if kind == "truncate":
            data = data[: rng.randrange(1, len(data))]
        self.counted.bytes_sent += len(data)
        writer.write(data)
        await writer.drain()
        return kind not in ("truncate", "flip_answer")

    async def _forward(self, request):
        signed = request.header("x-amz-content-sha256")
        if self.checks_digests and signed and len(signed) == 64 and signed != hashlib.sha256(request.body).hexdigest():
            return error(400, MISMATCH)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream_port, limit=1 << 26)
        try:
            writer.write(request.bytes)
            await writer.drain()
            while True:
                answer = await read_message(reader, is_answer=True, has_body=not request.line.startswith("HEAD "))
                if not answer.line.split(" ")[1].startswith("1"):
                    return answer
        finally:
            writer.close()


def error(status, body):
    head = f"HTTP/1.1 {status} Fault\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return Message(head.encode(), body)


def flipped(data, rng):
    """The same with one bit the other way round."""
    data = bytearray(data)
    place = rng.randrange(len(data))
    data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


def reset(writer):
    """Ends the connection as a machine does that has crashed."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def read_message(reader, is_answer=False, has_body=True):
    """A whole message, chunks joined; nothing if the connection ended before it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial or is_answer:
            raise
        return None
    message = Message(head, b"")
    if not has_body:
        return message
    if (message.header("Transfer-Encoding") or "").lower() == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"transfer-encoding:")]
        lines.insert(1, f"Content-Length: {len(body)}".encode())
        return Message(b"\r\n".join(lines), body)
    length = message.header("Content-Length")
    if length is not None:
        message.body = await reader.readexactly(int(length))
    elif is_answer and message.line.split(" ")[1] not in ("100", "204", "304"):
        message.body = await reader.read()
    return message
