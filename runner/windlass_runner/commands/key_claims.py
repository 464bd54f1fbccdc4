"""`windlass keys claim`: what a namespace's new owner signs, for the registry's owner to grant it to them.

A claim is worth nothing by itself, and no secret.
"""

from __future__ import annotations

import json
from argparse import Namespace
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_registry.publication import Publication
from windlass_registry.trust.publishing import claim_publication
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.publishing_place import OWNER, RELEASE, open_namespace
from windlass_runner.commands.registries import key_ring, utc_now

_LARGEST_BYTES: Final = 64_000_000


def claim(arguments: Namespace, invocation: Invocation) -> int:
    """Sign for all that is published in a namespace, and write that into a file."""
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    owner = ring.signer(f"{arguments.keys}{OWNER}", passphrase=passphrase)
    release = ring.signer(f"{arguments.keys}{RELEASE}", passphrase=passphrase)
    place = open_namespace(arguments.namespace, arguments.registry, invocation)
    if not place.signed.release_keys:
        raise OperatorError(
            f"nothing is published in '{arguments.namespace}' yet",
            remedy="it takes no claim: send your .owner.pub file to the registry's owner",
        )
    made = claim_publication(place.signed, owner, release, now=utc_now())
    out = invocation.folder / Path(arguments.out).expanduser()
    value = {
        "windlass-claim": 1,
        "namespace": arguments.namespace,
        "roles": {name: b64encode(content).decode() for name, content in made.roles.items()},
    }
    try:
        out.write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise OperatorError(f"cannot write {out}: {error.strerror}") from error
    public = ring.public_path(f"{arguments.keys}{OWNER}")
    if arguments.json:
        invocation.print_json({"namespace": arguments.namespace, "claim": str(out), "public": str(public)})
        return 0
    invocation.print(f"wrote {out}")
    invocation.say(
        f"send it with {public} to the registry's owner; they run:\n"
        f"  windlass registry grant {arguments.namespace} --key {public.name} --claim {out.name}\n"
        f"A release that is published before that makes the claim out of date."
    )
    return 0


def read_claim(path: Path) -> Publication:
    """A claim's file.

    Raises:
        OperatorError: it is none.
    """
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_LARGEST_BYTES))
        if value["windlass-claim"] != 1:
            raise ValueError("of another kind")
        roles = {str(name): b64decode(content, validate=True) for name, content in value["roles"].items()}
    except OSError as error:
        raise OperatorError(f"cannot read the claim {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperatorError(
            f"{path} is no claim ({error})", remedy="take the file that 'windlass keys claim' wrote"
        ) from error
    return Publication(roles=roles)
