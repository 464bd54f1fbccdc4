"""The post-receive script that tells a daemon of pushes. Pure; printed by `windlass hook`.

It needs `sh`, `git`'s environment and curl or wget. The HMAC is made with `sha256sum` and the
shell alone, so that the secret never stands on a command line, where every user could read it;
`openssl` or `shasum` serve where there is no `sha256sum`.
"""

from __future__ import annotations

import json
import shlex
from typing import Final

SECRET_FILE: Final = "windlass.secret"  # noqa: S105 (a file's name)

_SCRIPT: Final = r"""#!/bin/sh
# Tells a Windlass daemon what was pushed. Made by:
#     windlass hook --repo @REPOSITORY_TEXT@ --server @SERVER_TEXT@
#
# Put this file into the repository's `hooks` folder as `post-receive`, executable, and the secret
# (the daemon's `webhook_secret` of this repository) beside it:
#     chmod +x hooks/post-receive
#     (umask 077; printf %s "$SECRET" > hooks/@SECRET_FILE@)
# The push does not wait for the daemon; what is not heard here, polling finds.

server=@SERVER@
repository=@REPOSITORY_JSON@
secret_file=${WINDLASS_SECRET_FILE:-$(dirname "$0")/@SECRET_FILE@}

updates=
while read -r before after ref; do
    case $ref in
        refs/heads/* | refs/tags/*) ;;
        *) continue ;;
    esac
    case $ref in
        *\"*) ref=$(printf %s "$ref" | sed 's/"/\\"/g') ;;
    esac
    updates="$updates${updates:+,}{\"ref\":\"$ref\",\"before\":\"$before\",\"after\":\"$after\"}"
done
[ -n "$updates" ] || exit 0

if [ ! -r "$secret_file" ]; then
    echo "windlass: cannot read $secret_file; the daemon is not told of this push" >&2
    exit 0
fi
case $(ls -ldL "$secret_file") in
    -r??------*) ;;
    *) echo "windlass: others can read $secret_file; run: chmod 600 $secret_file" >&2 ;;
esac
secret=$(cat "$secret_file")

digest() { # of stdin, as hexadecimal digits
    { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-64
}

# Turn hexadecimal bytes, each xor-ed with a number, into text for printf.
escaped() { # mask byte...
    mask=$1 text=
    shift
    for byte in "$@"; do
        byte=$((0x$byte ^ mask))
        if [ "$byte" -eq 37 ]; then
            text="$text%%"
        else
            text="$text\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
        fi
    done
}

bytes_of() { # stdin as hexadecimal bytes, one space between
    od -An -v -tx1 | tr -s ' \n' '  '
}

sign() { # file; https://www.rfc-editor.org/rfc/rfc2104
    file=$1
    # shellcheck disable=SC2046
    set -- $(printf %s "$secret" | bytes_of)
    if [ $# -gt 64 ]; then
        # shellcheck disable=SC2046
        set -- $(printf %s "$secret" | digest | sed 's/../& /g')
    fi
    while [ $# -lt 64 ]; do set -- "$@" 00; done
    escaped 0x36 "$@"
    inner=$({ printf "$text"; cat "$file"; } | digest | sed 's/../& /g')
    escaped 0x5c "$@"
    outer=$text
    # shellcheck disable=SC2086
    escaped 0 $inner
    { printf "$outer"; printf "$text"; } | digest
}

send() {
    trap '' HUP
    umask 077
    body=$(mktemp "${TMPDIR:-/tmp}/windlass.XXXXXX") || return
    trap 'rm -f "$body"' EXIT
    delivery=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '{"delivery":"%s","repository":%s,"updates":[%s]}' "$delivery" "$repository" "$updates" >"$body"
    if command -v sha256sum >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1; then
        signature=$(sign "$body")
    else
        signature=$(openssl dgst -sha256 -hmac "$secret" <"$body" | sed 's/.*[ =]//')
    fi
    for pause in 1 5 20 60 0; do
        if command -v curl >/dev/null 2>&1; then
            curl -fsS -m 30 --retry 4 -o /dev/null -H 'Content-Type: application/json' -H 'Expect:' \
                -H "X-Windlass-Signature-256: sha256=$signature" --data-binary "@$body" "$server/hooks/git"
            case $? in 0 | 22) return ;; esac
        else
            wget -q -T 30 -O /dev/null --header='Content-Type: application/json' --post-file="$body" \
                --header="X-Windlass-Signature-256: sha256=$signature" "$server/hooks/git" && return
        fi
        sleep "$pause"
    done
}

send </dev/null >/dev/null 2>&1 &
exit 0
"""


def post_receive_script(*, repository: str, server: str) -> str:
    """The script for one repository and one daemon (its address, without a path)."""
    words = {
        "@REPOSITORY_TEXT@": shlex.quote(_one_line(repository)),
        "@SERVER_TEXT@": shlex.quote(_one_line(server)),
        "@SERVER@": shlex.quote(server.rstrip("/")),
        "@REPOSITORY_JSON@": shlex.quote(json.dumps(repository)),
        "@SECRET_FILE@": SECRET_FILE,
    }
    script = _SCRIPT
    for word, value in words.items():
        script = script.replace(word, value)
    return script


def _one_line(text: str) -> str:
    return " ".join(text.split())
