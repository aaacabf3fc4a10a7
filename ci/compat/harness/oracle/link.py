"""One connection to a broker, and requests on it by name and version."""

import socket
import struct

from . import schema
from .schema import Schemas

TIMEOUT_S = 5
CLIENT_ID = "oracle"
CLOSED = "closes the connection"


class Link:
    """Sends a request and waits for its answer; a closed connection is an answer, too."""

    def __init__(self, address: tuple[str, int], schemas: Schemas, timeout_s: float = TIMEOUT_S):
        self._address = address
        self._schemas = schemas
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._correlation = 0

    def ask(self, api: str, version: int, body: dict, answered: bool = True) -> dict | str | None:
        """The answer's fields, or [`CLOSED`]. With `answered` false nothing comes back and nothing is waited for."""
        request = self._schemas.messages[f"{api}Request"]
        encoded = schema.encode(request, version, body)
        raw = self.send_raw(request.key, version, version in request.flexible, encoded, answered)
        if raw is None or raw == CLOSED:
            return raw
        response = self._schemas.messages[f"{api}Response"]
        # The header of ApiVersions stays as it was, so that any client can read it (KIP-511).
        if version in response.flexible and api != "ApiVersions":
            raw = raw[1:]
        return schema.decode(response, version, raw)

    def send_raw(self, key: int, version: int, flexible: bool, body: bytes, answered: bool = True) -> bytes | str | None:
        """The bytes behind the answer's correlation id."""
        self._correlation += 1
        client = CLIENT_ID.encode()
        header = struct.pack(">hhih", key, version, self._correlation, len(client)) + client
        frame = header + (b"\0" if flexible else b"") + body
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=self._timeout_s)
        try:
            self._socket.sendall(struct.pack(">i", len(frame)) + frame)
            if not answered:
                return None
            (length,) = struct.unpack(">i", self._receive(4))
            answer = self._receive(length)
        except (ConnectionError, EOFError):
            self.close()
            return CLOSED
        (correlation,) = struct.unpack(">i", answer[:4])
        if correlation != self._correlation:
            raise ValueError(f"correlation id {correlation}, not {self._correlation}")
        return answer[4:]

    def _receive(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """The next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
