"""`windlass keys new`, `list`: the key files of the user."""

from __future__ import annotations

from argparse import Namespace

from windlass_registry.names import check_namespace
from windlass_registry.trust.keys import PublicKey
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.passphrases import read_passphrase
from windlass_runner.commands.publishing_place import OWNER, RELEASE
from windlass_runner.commands.registries import key_ring

WHAT_TO_KEEP = """
Keep them apart:
  {owner}
      says who may publish for '{name}'. You need it for the first publication, and then only to change the
      release key. Put it onto a stick in a safe, with a second copy elsewhere, and delete it here. Lost: only
      the registry's owner can give you '{name}' back. Stolen: tell them at once.
  {release}
      signs every release, so it stays where you publish. Lost: 'windlass keys rotate {name}' makes another.
      Stolen: 'windlass keys revoke {name}{suffix}', with the owner's key.
Hand on to the registry's owner (it is no secret): {public}
They run: windlass registry grant {name} --key {file}
"""


def make(arguments: Namespace, invocation: Invocation) -> int:
    """Two key pairs: the owner's and the one that signs releases."""
    name: str = arguments.name
    check_namespace(name)
    ring, passphrase = key_ring(invocation), read_passphrase(arguments, invocation)
    made = []
    for suffix in (OWNER, RELEASE):
        signer = ring.create(f"{name}{suffix}", passphrase=passphrase)
        made.append(PublicKey(name=f"{name}{suffix}", key=signer.public_key))
    if arguments.json:
        for each in made:
            invocation.print_json(
                {
                    "name": each.name,
                    "id": each.key.keyid,
                    "fingerprint": each.fingerprint,
                    "public": str(ring.public_path(each.name)),
                    "private": str(ring.private_path(each.name)),
                }
            )
        return 0
    for each in made:
        invocation.print(f"{each.name}  {each.fingerprint}")
    public = ring.public_path(f"{name}{OWNER}")
    invocation.say(
        WHAT_TO_KEEP.format(
            name=name,
            suffix=RELEASE,
            owner=ring.private_path(f"{name}{OWNER}"),
            release=ring.private_path(f"{name}{RELEASE}"),
            public=public,
            file=public.name,
        ).rstrip()
    )
    if passphrase is None:
        invocation.say(
            "note: neither has a passphrase: whoever reads the files can sign. See --passphrase-file"
        )
    return 0


def tell(arguments: Namespace, invocation: Invocation) -> int:
    """Every key of this user, and what of it is here."""
    ring = key_ring(invocation)
    found = ring.public()
    for each in found:
        has_private = ring.has_private(each.name)
        if arguments.json:
            invocation.print_json(
                {
                    "name": each.name,
                    "id": each.key.keyid,
                    "fingerprint": each.fingerprint,
                    "private": has_private,
                    "passphrase": has_private and ring.is_encrypted(each.name),
                }
            )
            continue
        what = "public half alone"
        if has_private:
            what = "with a passphrase" if ring.is_encrypted(each.name) else "without a passphrase"
        invocation.print(f"{each.name:<24} {each.fingerprint}  {what}")
    if not found and not arguments.json:
        invocation.say(f"no keys in {ring.folder}: make some with 'windlass keys new NAMESPACE'")
    return 0
