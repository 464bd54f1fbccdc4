"""Reads `app` of a manifest: that the action serves HTTP while it runs. Called by `manifest`."""

from __future__ import annotations

from typing import Final

import yaml

from windlass_registry.manifest_model import ServedApp
from windlass_registry.reader import Reader

APP_KEYS: Final = ("port", "path", "ready")
_LARGEST_PORT: Final = 65_535


def read_app(reader: Reader, node: yaml.Node) -> ServedApp | None:
    """What is served, and where; None where that cannot be read (the reader has noted why)."""
    fields = reader.fields(node, "'app'", APP_KEYS)
    if "port" not in fields:
        if isinstance(node, yaml.MappingNode):
            reader.error(node, "'app' needs 'port'", "name the port on which it serves HTTP, such as 8888")
        return None
    port = reader.whole(fields["port"], "'port' of 'app'", least=1)
    if port is not None and port > _LARGEST_PORT:
        reader.error(fields["port"], f"'port' of 'app' must be at most {_LARGEST_PORT}")
    path, ready = (_path(reader, fields.get(key), key) for key in ("path", "ready"))
    return None if port is None else ServedApp(port=port, path=path, ready=ready)


def _path(reader: Reader, node: yaml.Node | None, key: str) -> str:
    text = "/" if node is None else reader.text(node, f"'{key}' of 'app'")
    if text is None or node is None:
        return "/"
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \\#") and ".." not in text
    if not text.startswith("/") or text.startswith("//") or not is_plain:
        reader.error(
            node, f"'{key}' of 'app' must be a path below the app's address", "write one such as /lab"
        )
    return text
