"""Values as YAML text, on one line, that every YAML reader takes for the same values."""

from __future__ import annotations

import json

from windlass_registry.documents import Value


def one_line(value: Value) -> str:
    """A value in flow style: JSON, with all beyond ASCII as `\\U` escapes, for JSON's own escapes of what
    lies beyond 16 bits are none of YAML's."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if "\x00" <= c < "\x7f" else f"\\U{ord(c):08x}" for c in text)
