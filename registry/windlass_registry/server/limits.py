"""How much a registry's server lets in and out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Each of them can be set; the defaults suit a team."""

    archive_bytes: int = 256 * 1024 * 1024
    publication_bytes: int = 32 * 1024 * 1024
    """Of the signed roles and statements, as they are sent."""
    namespace_bytes: int = 20 * 1024**3
    """All archives of a namespace together."""
    reads_per_s: float = 100.0
    reads_at_once: int = 1000
    """For each address that reads."""
    writes_per_s: float = 2.0
    writes_at_once: int = 60
    """For each token."""
    uploads_bytes: int = 4 * 1024**3
    """All archives together that wait for their publications."""
    upload_kept_s: float = 24 * 3600.0
    """So long an archive waits for the publication that names it."""
