"""An app: HTTP and WebSockets below its base path, with nothing but the standard library. Ends by itself when
it is told to, and leaves an output then, as after SIGTERM."""

import base64
import hashlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BASE = os.environ["WINDLASS_APP_BASE"]
PORT = int(os.environ["WINDLASS_APP_PORT"])


PAGE = """<!doctype html>
<title>tiny</title>
<p id="said">nothing yet</p>
<script>
  document.cookie = "own=BASE; path=/";
  localStorage.own = "BASE";
  function listen() {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}BASEsocket`);
    socket.onopen = () => socket.send("echo of the page");
    socket.onmessage = (message) => { document.getElementById("said").textContent = message.data; };
    socket.onclose = () => setTimeout(listen, 100);
  }
  listen();
</script>
""".replace("BASE", BASE)


def leave(code):
    Path(os.environ["WINDLASS_OUTPUTS"], "left").write_text("what the app left")
    os._exit(code)


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if "websocket" in self.headers.get("Upgrade", ""):
            self.socket()
        elif self.path == BASE + "page":
            self.say(PAGE.encode(), ("Content-Type", "text/html"))
        elif self.path == BASE + "headers":
            cookies = [("Set-Cookie", "own=1; Path=/; Domain=example.org"), ("Set-Cookie", "windlass-app=x")]
            self.say(json.dumps(dict(self.headers)).encode(), *cookies)
        elif self.path == BASE + "pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(3):
                self.wfile.write(b"8\r\npiece %d\n\r\n" % number)
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == BASE + "elsewhere":
            self.say(b"", ("Location", f"http://{self.headers['Host']}{BASE}there"), status=302)
        elif self.path == BASE + "end":
            self.say(b"bye")
            self.wfile.flush()
            leave(0)
        elif self.path.startswith(BASE):
            self.say(f"hello from {self.path}".encode())
        else:
            self.say(b"not below my base", status=404)

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.say(hashlib.sha256(body).hexdigest().encode())

    def say(self, body, *headers, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def socket(self):
        """Echo each message, and say at first what came with the request."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.frame(1, json.dumps({"path": self.path, "origin": self.headers["Origin"]}).encode())
        while True:
            first, second = self.rfile.read(2)
            length = second & 127
            if length > 125:
                length = int.from_bytes(self.rfile.read(2 if length == 126 else 8), "big")
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(length)))
            self.frame(first & 15, text)
            if first & 15 == 8:
                self.close_connection = True
                return

    def frame(self, kind, body):
        size = bytes([len(body)]) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
        self.wfile.write(bytes([128 | kind]) + size + body)
        self.wfile.flush()

    def log_message(self, *words):
        print(self.path, *words[1:], file=sys.stderr, flush=True)


signal.signal(signal.SIGTERM, lambda *_: leave(143))
Path(os.environ["WINDLASS_APP_ENDS"]).write_text("2000000000")
print("serving", flush=True)
ThreadingHTTPServer((os.environ["WINDLASS_APP_HOST"], PORT), App).serve_forever()
