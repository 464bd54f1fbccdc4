"""`windlass hook`: print the post-receive script that tells the daemon of pushes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from windlass_registry.errors import OperatorError
from windlass_runner.commands.invocation import Invocation

EXAMPLE = """
windlass hook --repo file:///srv/git/digits.git --server http://127.0.0.1:8470 \\
    > /srv/git/digits.git/hooks/post-receive
chmod +x /srv/git/digits.git/hooks/post-receive
(umask 077; printf %s "$SECRET" > /srv/git/digits.git/hooks/windlass.secret)
"""


def configure(parser: ArgumentParser) -> None:
    """Which repository, and where the daemon is."""
    parser.add_argument(
        "--repo", required=True, metavar="URL", help="the repository, as the daemon's settings name it"
    )
    parser.add_argument(
        "--server", default="http://127.0.0.1:8470", metavar="URL", help="the daemon (%(default)s)"
    )


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Print the script."""
    from windlass_runner.daemon.repository_settings import repository_address
    from windlass_runner.forges.hook_script import post_receive_script

    if not arguments.server.startswith(("http://", "https://")):
        raise OperatorError(
            f"'{arguments.server}' is not an http address", remedy="write it as http://127.0.0.1:8470"
        )
    repository = repository_address(arguments.repo, invocation.folder)
    invocation.out.write(post_receive_script(repository=repository, server=arguments.server))
    return 0
