"""What went wrong with a store, in words that its owner can act on. Nothing that the store says goes on: its
texts name accounts and users, and the registry's readers would see them."""

from __future__ import annotations

from typing import Final

from botocore import exceptions

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError
from windlass_registry.hosting.store_settings import STORE, StoreSettings

STALE_KEYS: Final = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})
_RIGHTS: Final = "allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject in it"
_KEYS: Final = "mend its credentials"
_REMEDIES: Final = {
    "AccessDenied": _RIGHTS,
    "AllAccessDisabled": _RIGHTS,
    "AuthorizationHeaderMalformed": f"mend 'region' in {STORE}",
    "ExpiredToken": "the session is over: give new credentials",
    "InvalidAccessKeyId": f"the store does not know this key: {_KEYS}",
    "InvalidToken": _KEYS,
    "NoSuchBucket": f"make the bucket, or mend 'url' or 'endpoint' in {STORE}",
    "NotImplemented": "the store lacks conditional writes: take another",
    "PermanentRedirect": f"mend 'region' in {STORE}",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "SignatureDoesNotMatch": f"the secret is not that of the key: {_KEYS}",
}
_PASSING: Final = ("RequestTimeout", "SlowDown", "ServiceUnavailable", "InternalError", "Throttling")
_NO_KEYS: Final = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.TokenRetrievalError,
)
_LOOK: Final = f"; see whether it runs, and 'endpoint' in {STORE}"
_RETRY_S: Final = 5.0


def refused(code: str, status: int, settings: StoreSettings) -> WindlassError:
    """The store answered, and not with what was asked for. UpstreamError where waiting may help."""
    said = f"{status} {code}".strip() if code != str(status) else str(status)
    if status >= 500 or status == 429 or code.startswith(_PASSING):
        return UpstreamError(f"the store of {settings.url} answers {said}", retry_after_s=_RETRY_S)
    remedy = _REMEDIES.get(code) or (_RIGHTS if status in (401, 403) else f"see {STORE}")
    return OperatorError(f"the store of {settings.url} answers {said}", remedy=remedy)


def unanswered(error: Exception, settings: StoreSettings) -> WindlassError:
    """There was no answer, or none could be asked for. UpstreamError where waiting may help."""
    where = settings.url + (f" at {settings.endpoint}" if settings.endpoint else "")
    match error:
        case exceptions.SSLError():
            return OperatorError(
                f"the store of {where} shows no certificate that is believed here",
                remedy="let AWS_CA_BUNDLE name the authority's certificate, or mend 'endpoint'",
            )
        case exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            return UpstreamError(
                f"the store of {where} does not answer in time{_LOOK}", retry_after_s=_RETRY_S
            )
        case (
            exceptions.ConnectionError() | exceptions.HTTPClientError() | exceptions.ResponseStreamingError()
        ):
            return UpstreamError(f"the store of {where} does not answer{_LOOK}", retry_after_s=_RETRY_S)
        case exceptions.IncompleteReadError():
            return UpstreamError(f"the store of {where} broke off in its answer", retry_after_s=_RETRY_S)
    if isinstance(error, _NO_KEYS):
        return OperatorError(
            f"there are no credentials for the store of {where}",
            remedy=f"name a file of keys (--credentials, then 'credentials' in {STORE}), or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return OperatorError(
        f"the store of {where} cannot be used ({type(error).__name__})", remedy=f"see {STORE}"
    )
