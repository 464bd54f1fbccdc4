"""A registry of one image on this machine, as far as `docker pull` asks: the manifest and its two blobs.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ImageRegistry:
    """Serves an image while it is entered, under a new name each time. The layer's second half comes
    when `open` is set; who still waits for it at the end never gets it."""

    def __init__(self, *files: tuple[str, bytes]) -> None:
        """`files`: what is in the image, programs all; padded, so that the layer comes in many pieces."""
        self.open = threading.Event()
        self.asked_for_layer = threading.Event()
        self.is_closed = False
        layer = _layer(files)
        config = json.dumps(
            {
                "architecture": _ARCHITECTURES[platform.machine()],
                "os": "linux",
                "config": {"Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        self.layer = layer
        self.blobs = {_digest(blob): blob for blob in (layer, config)}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _described(config, "application/vnd.docker.container.image.v1+json"),
            "layers": [_described(layer, "application/vnd.docker.image.rootfs.diff.tar")],
        }
        self.manifest = json.dumps(manifest).encode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}/windlass-test/pulled:1"

    @property
    def digest(self) -> str:
        return f"{self.image.removesuffix(':1')}@{_digest(self.manifest)}"

    def __enter__(self) -> ImageRegistry:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        image = self.image
        self.close()
        subprocess.run(["docker", "rmi", "-f", image], check=False, capture_output=True)

    def close(self) -> None:
        """Answer nobody any more. What was pulled stays in the engine."""
        self.is_closed = True
        self.open.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(registry: ImageRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            last = self.path.rpartition("/")[2]
            is_manifest = "/manifests/" in self.path
            body = registry.manifest if is_manifest else registry.blobs.get(last, b"{}")
            self.send_response(200)
            self.send_header("Content-Type", MANIFEST_TYPE if is_manifest else "application/octet-stream")
            self.send_header("Docker-Content-Digest", _digest(body))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self._send(body)

        def _send(self, body: bytes) -> None:
            half = len(body) // 2
            try:
                self.wfile.write(body[:half])
                if body is registry.layer:
                    registry.asked_for_layer.set()
                    registry.open.wait()
                if registry.is_closed:
                    self.close_connection = True
                    return
                self.wfile.write(body[half:])
            except OSError:  # the engine has given up
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Quietly."""

    return Handler


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _described(blob: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _layer(files: tuple[tuple[str, bytes], ...]) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, content in (*files, ("padding", bytes(4 << 20))):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return layer.getvalue()
