"""Network cameras made of the standard library: Motion JPEG over HTTP, and over RTSP (RFC 2326, RFC 2435)."""

import base64
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2

from tests.camera_client.moving_pictures import picture

_FPS = 20
_FRAGMENT = 1200


def _jpeg(number: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture(number))
    assert done
    return data.tobytes()


class HttpCamera:
    """A camera at http://127.0.0.1:port/; each visit is one stream, of `frames` pictures unless None."""

    def __init__(self, frames: int | None = None) -> None:
        self.frames = frames
        self.visits = 0
        self.shown = 0
        self.stop = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.visits += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                camera.stream(self.wfile.write)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that has seen enough

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/video?user=admin&password=hunter2"

    def stream(self, write: Callable[[bytes], Any]) -> None:
        number = 0
        while not self.stop.wait(1 / _FPS) and (self.frames is None or number < self.frames):
            jpeg = _jpeg(self.shown)
            head = b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            write(head + jpeg + b"\r\n")
            number += 1
            self.shown += 1

    def close(self) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class RtspCamera:
    """A camera at rtsp://user:password@127.0.0.1:port/, RTP over the same TCP connection."""

    def __init__(self, account: str = "admin:hunter2") -> None:
        self.visits = 0
        self.stop = threading.Event()
        self._wanted = base64.b64encode(account.encode()).decode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.address = f"rtsp://{account}@127.0.0.1:{self.port}/live"
        self._lines: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Shut every connection."""
        for line in self._lines:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self.stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            self._lines.append(line)
            self._threads.append(threading.Thread(target=self._talk, args=(line,), daemon=True))
            self._threads[-1].start()

    def _talk(self, line: socket.socket) -> None:
        try:
            with line.makefile("rb") as reader:
                while (request := self._request(reader)) is not None:
                    method, headers = request
                    line.sendall(self._response(method, headers))
                    if method == "PLAY" and self._wanted in headers.get("authorization", ""):
                        self.visits += 1
                        return self._play(line)
        except OSError:
            return None
        return None

    @staticmethod
    def _request(reader: Any) -> tuple[str, dict[str, str]] | None:
        first = reader.readline().decode()
        if not first.strip():
            return None
        headers: dict[str, str] = {}
        while text := reader.readline().decode().strip():
            key, _, value = text.partition(":")
            headers[key.lower()] = value.strip()
        return first.split()[0], headers

    def _response(self, method: str, headers: dict[str, str]) -> bytes:
        start = f"CSeq: {headers.get('cseq', '0')}\r\n"
        if method != "OPTIONS" and self._wanted not in headers.get("authorization", ""):
            return f'RTSP/1.0 401 Unauthorized\r\n{start}WWW-Authenticate: Basic realm="cam"\r\n\r\n'.encode()
        body = ""
        extra = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
            "PLAY": "Session: 1\r\n",
        }.get(method, "")
        if method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                f"m=video 0 RTP/AVP 26\r\na=control:track0\r\na=framerate:{_FPS}\r\n"
            )
            extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        return f"RTSP/1.0 200 OK\r\n{start}{extra}\r\n{body}".encode()

    def _play(self, line: socket.socket) -> None:
        sequence = number = 0
        while not self.stop.wait(1 / _FPS):
            for packet in _rtp_packets(_jpeg(number), number * 90_000 // _FPS, sequence):
                line.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                sequence += 1
            number += 1


def _rtp_packets(jpeg: bytes, timestamp: int, sequence: int) -> list[bytes]:
    """RFC 2435: type 1 (4:2:0), quantization tables in band (Q 255)."""
    tables, scan = b"", b""
    at = 2
    while not scan:
        marker, length = jpeg[at + 1], struct.unpack_from(">H", jpeg, at + 2)[0]
        if marker == 0xDB:
            content = jpeg[at + 4 : at + 2 + length]
            tables += b"".join(content[place + 1 : place + 65] for place in range(0, len(content), 65))
        if marker == 0xDA:
            scan = jpeg[at + 2 + length : -2]
        at += 2 + length
    height, width = picture(0).shape[:2]
    packets = []
    for offset in range(0, len(scan), _FRAGMENT):
        last = offset + _FRAGMENT >= len(scan)
        head = struct.pack(">BBHII", 0x80, 26 | (0x80 if last else 0), sequence & 0xFFFF, timestamp, 7)
        head += struct.pack(">I", offset) + bytes((1, 255, width // 8, height // 8))
        if offset == 0:
            head += struct.pack(">BBH", 0, 0, len(tables)) + tables
        packets.append(head + scan[offset : offset + _FRAGMENT])
        sequence += 1
    return packets
