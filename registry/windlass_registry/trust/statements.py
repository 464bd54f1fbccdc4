"""Where a release comes from: an in-toto statement in a DSSE envelope, signed with the release key.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md. The subject is the package's digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, Signer

from windlass_registry.errors import OperatorError
from windlass_registry.releases import format_time, parse_time, plain_text

_PAYLOAD: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:windlass:provenance:v1"
LARGEST_BYTES: Final = 65_536
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the publisher says of the making of a release."""

    name: str
    version: str
    digest: str
    repository: str | None
    """The address that the source was cloned from; None where it lay in no git repository."""
    commit: str | None
    is_dirty: bool
    """Whether files differed from the commit."""
    folder: str = ""
    """The package's folder in the repository."""
    publisher: str
    """What the release key is called."""
    published: datetime
    windlass: str
    """The version that published it."""


def make_statement(provenance: Provenance, signers: Sequence[Signer]) -> bytes:
    """The signed statement as it lies on disk."""
    statement = {
        "_type": _STATEMENT,
        "subject": [
            {
                "name": f"{provenance.name}/{provenance.version}",
                "digest": {"sha256": provenance.digest.removeprefix("sha256:")},
            }
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "source": {
                "repository": provenance.repository,
                "commit": provenance.commit,
                "dirty": provenance.is_dirty,
                "folder": provenance.folder,
            },
            "publisher": provenance.publisher,
            "published": format_time(provenance.published),
            "windlass": provenance.windlass,
        },
    }
    envelope = Envelope(json.dumps(statement, sort_keys=True).encode(), _PAYLOAD, {})
    for signer in signers:
        envelope.sign(signer)
    return json.dumps(envelope.to_dict(), sort_keys=True).encode()


def statement_digest(content: bytes) -> str:
    """The name of a statement."""
    return f"sha256:{sha256(content).hexdigest()}"


def read_statement(content: bytes, keys: Sequence[Key], *, threshold: int, shown: str) -> Provenance:
    """Check a statement's signatures and read it.

    Raises:
        OperatorError: it is no statement, or none that these keys signed.
    """
    try:
        envelope = Envelope.from_dict(json.loads(content))
        if envelope.payload_type != _PAYLOAD:
            raise ValueError(f"a payload of the type {envelope.payload_type!a}")
        envelope.verify(list(keys), threshold)
        return _provenance(json.loads(envelope.payload))
    except VerificationError as error:
        raise OperatorError(
            f"the provenance of {shown} is not signed by a release key of its namespace",
            remedy="do not use this release; tell its publisher",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperatorError(f"the provenance of {shown} cannot be read: {error}") from error


def signed_by(content: bytes) -> tuple[str, ...]:
    """The ids of the keys that a statement says it is signed with; its signatures are not checked."""
    try:
        return tuple(str(each["keyid"]) for each in json.loads(content)["signatures"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def _provenance(statement: Mapping[str, Any]) -> Provenance:
    if statement["_type"] != _STATEMENT or statement["predicateType"] != PREDICATE:
        raise ValueError("it is of another kind")
    (subject,) = statement["subject"]
    predicate = statement["predicate"]
    source = predicate["source"]
    name, _, version = _text(subject["name"]).rpartition("/")
    if not isinstance(source["dirty"], bool):
        raise ValueError("'dirty' is neither true nor false")
    return Provenance(
        name=name,
        version=version,
        digest=f"sha256:{_text(subject['digest']['sha256'])}",
        repository=None if source["repository"] is None else _text(source["repository"]),
        commit=None if source["commit"] is None else _text(source["commit"]),
        is_dirty=source["dirty"],
        folder=_text(source["folder"]),
        publisher=_text(predicate["publisher"]),
        published=parse_time(predicate["published"]),
        windlass=_text(predicate["windlass"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or not plain_text(value):
        raise ValueError("a field is not a plain text")
    return value
