"""A registry in an OCI registry, beside container images: the one file that speaks to one.

Everything lies in one repository of it. Source of the rules: the OCI Distribution and Image Specifications.

* Each release is an artifact with a tag of its own, `acme.train.1.2.0`: the canonical archive and its
  provenance. The archive's digest as a blob is the package's identity: `oras pull` gives what was signed.
* All signed roles and the index are one artifact with the tag `metadata`. Moving that tag is the commit.

What is read is believed as little as from any mirror: the digests and signatures are those of the registry.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.trust.transport import MissingFile


class _Answer(Protocol):
    """What we use of an answer of `requests`."""

    status_code: int
    content: bytes

    def iter_content(self, size: int) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _Container(Protocol):
    """What we use of `oras.container.Container`, which has no types."""

    def manifest_url(self) -> str: ...


class _Auth(Protocol):
    def load_configs(self, container: _Container) -> object: ...


class _Provider(Protocol):
    """What we use of `oras.provider.Registry`."""

    prefix: str
    auth: _Auth

    def get_container(self, name: str) -> _Container: ...
    def upload_blob(self, blob: str, container: _Container, layer: dict[str, Any]) -> _Answer: ...
    def upload_manifest(self, manifest: dict[str, Any], container: _Container) -> _Answer: ...
    def do_request(self, url: str, method: str, *, headers: dict[str, str]) -> _Answer: ...
    def get_blob(self, container: _Container, digest: str, *, stream: bool) -> _Answer: ...


METADATA_TAG: Final = "metadata"
PACKAGE_TYPE: Final = "application/vnd.windlass.package.v1"
METADATA_TYPE: Final = "application/vnd.windlass.metadata.v1"
ARCHIVE_TYPE: Final = "application/vnd.windlass.archive.v1.tar"
STATEMENT_TYPE: Final = "application/vnd.in-toto+dsse"
JSON_TYPE: Final = "application/json"
_TITLE: Final = "org.opencontainers.image.title"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_EMPTY: Final = b"{}"
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_CHUNK: Final = 1 << 18
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file of an artifact."""

    title: str
    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Of its bytes: how the OCI registry names it too."""
        return f"sha256:{sha256(self.content).hexdigest()}"

    def describe(self) -> dict[str, Any]:
        """As a manifest has it."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.content),
            "annotations": {_TITLE: self.title},
        }


class OciRepository:
    """`oci://host[:port]/repository`. Safe to use from several threads, one call at a time each.

    Reads and writes with the credentials of `docker login`. A host of this machine, or `oci+http://`, is
    spoken to without TLS.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address = address
        self._host, self._path = parts.netloc, parts.path.strip("/")
        if parts.scheme not in ("oci", "oci+http") or not parts.hostname or not _REPOSITORY.match(self._path):
            raise OperatorError(f"'{address}' is no repository", remedy="write oci://HOST/REPOSITORY")
        self._is_plain = (
            parts.scheme == "oci+http" or self._host.rpartition(":")[0] in _LOCAL or self._host in _LOCAL
        )

    def push(
        self, tag: str, layers: Sequence[Layer], *, artifact_type: str, annotations: Mapping[str, str]
    ) -> None:
        """Put an artifact there; blobs that are there already are not sent again.

        Raises:
            UpstreamError: the registry does not answer.
            OperatorError: it refuses.
        """
        empty = Layer(title="", content=_EMPTY, media_type=_EMPTY_TYPE)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": artifact_type,
            "config": {key: value for key, value in empty.describe().items() if key != "annotations"},
            "layers": [layer.describe() for layer in layers],
            "annotations": dict(annotations),
        }
        with self._errors():
            provider, container = self._open(tag)
            with tempfile.TemporaryDirectory() as scratch:
                place = Path(scratch) / "blob"
                for layer in (empty, *layers):
                    place.write_bytes(layer.content)
                    answer = provider.upload_blob(str(place), container, layer.describe())
                    self._refuse(answer.status_code, f"the blob {layer.title or layer.digest}")
            self._refuse(provider.upload_manifest(manifest, container).status_code, f"the artifact {tag}")

    def find(self, tag: str) -> dict[str, dict[str, Any]] | None:
        """The layers of an artifact by title; None where there is none. Raises as `push`."""
        with self._errors():
            provider, container = self._open(tag)
            url = f"{provider.prefix}://{container.manifest_url()}"
            answer = provider.do_request(url, "GET", headers={"Accept": _MANIFEST})
            if answer.status_code == 404:
                return None
            self._refuse(answer.status_code, f"the artifact {tag}")
            try:
                layers = json.loads(answer.content)["layers"]
                return {str(layer["annotations"][_TITLE]): layer for layer in layers}
            except (ValueError, KeyError, TypeError) as error:
                raise OperatorError(
                    f"{self.address} has '{tag}', which is no artifact of a registry"
                ) from error

    def blob(self, digest: str) -> Iterator[bytes]:
        """A blob, piece by piece. Raises MissingFile, and as `push`."""
        with self._errors():
            provider, container = self._open(METADATA_TAG)
            answer = provider.get_blob(container, digest, stream=True)
            try:
                if answer.status_code == 404:
                    raise MissingFile(digest)
                self._refuse(answer.status_code, f"the blob {digest}")
                yield from answer.iter_content(_CHUNK)
            finally:
                answer.close()

    def _open(self, tag: str) -> tuple[_Provider, _Container]:
        provider: _Provider = _provider()(hostname=self._host, insecure=self._is_plain)
        container = provider.get_container(f"{self._host}/{self._path}:{tag}")
        provider.auth.load_configs(container)
        return provider, container

    def _refuse(self, status: int, what: str) -> None:
        if status in (200, 201, 202):
            return
        if status in (401, 403):
            remedy = f"docker login {self._host}"
            raise OperatorError(f"{self.address} does not let you at {what} ({status})", remedy=remedy)
        if status == 429 or status >= 500:
            raise UpstreamError(f"{self.address} answers {status} for {what}")
        raise OperatorError(f"{self.address} answers {status} for {what}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from requests.exceptions import RequestException

        try:
            yield
        except RequestException as error:
            raise UpstreamError(f"{self.address} does not answer: {error}") from error
        except ValueError as error:  # so oras tells that it cannot log in
            raise OperatorError(f"{self.address}: {error}", remedy=f"docker login {self._host}") from error


class OciTransport:
    """Implements `trust.transport.Transport` over an OCI repository."""

    def __init__(self, repository: OciRepository) -> None:
        self.address = repository.address
        self._repository = repository
        self._files: dict[str, dict[str, Any]] = {}

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Transport`."""
        kind, _, rest = path.partition("/sha256/")
        if kind in ("packages", "statements") and rest:
            hexadecimal = rest.replace("/", "").rpartition(".")[0]
            yield from self._repository.blob(f"sha256:{hexadecimal}")
            return
        if path.endswith("timestamp.json") or path not in self._files:
            self._files = self._repository.find(METADATA_TAG) or {}  # what is newest is asked for each time
        if path not in self._files:
            raise MissingFile(path)
        yield from self._repository.blob(str(self._files[path]["digest"]))


@cache
def _provider() -> Callable[..., _Provider]:
    """The library's client, without its way of trying again: it would sleep for two minutes in silence where
    nobody answers. Who pushes again sends only what is not there."""
    library = import_module("oras.provider")  # 200 ms: only those who use it wait
    once = {"do_request": library.Registry.do_request.__wrapped__}
    client: Callable[..., _Provider] = type("Client", (library.Registry,), once)
    return client


def release_tag(name: str, version: str) -> str:
    """The tag of a release: `acme/train` and `1.2.0+cuda` give `acme.train.1.2.0_cuda`."""
    return f"{name}.{version}".replace("/", ".").replace("+", "_")
