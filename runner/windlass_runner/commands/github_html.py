"""The pages that a person sees on this machine while a GitHub App is made. Pure: values to HTML.

Plain HTML with its style in it: nothing is loaded from anywhere, and no script runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --page: #f4f6f8;
  --card: #ffffff; --go: #1f7a4d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #323b47;
  --page: #14181d; --card: #1c2229; --go: #23834f; --bad: #f2867f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem 1rem;
  background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { width: 100%; max-width: 36rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; padding: 2rem 2.25rem; }
.brand { margin: 0 0 1.5rem; color: var(--soft); font-size: .875rem; letter-spacing: .04em; }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.25rem; margin: 1.25rem 0 1.75rem;
  padding: 1rem 0; border: solid var(--line); border-width: 1px 0; font-size: .9375rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
button, .button { display: inline-block; border: 0; border-radius: 8px; padding: .7rem 1.25rem;
  background: var(--go); color: #fff; font: inherit; font-weight: 600; text-decoration: none;
  cursor: pointer; }
button:focus-visible, .button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
.small { margin: 1.25rem 0 0; color: var(--soft); font-size: .875rem; }
.bad h1 { color: var(--bad); }
code { font: .9em ui-monospace, monospace; }
"""
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
"""The Content-Security-Policy of all pages. It says nothing of forms: GitHub may lead on to a sign-in."""


def start_page(manifest: Mapping[str, Any], *, post_to: str, owner: str) -> str:
    """What is going to be asked of GitHub, and the button that does it."""
    writes = [name for name, level in manifest["default_permissions"].items() if level == "write"]
    reads = [name for name, level in manifest["default_permissions"].items() if level == "read"]
    hook = manifest["hook_attributes"]
    rows = {
        "App": manifest["name"],
        "Owner": owner,
        "Writes": _words(writes),
        "Reads": _words(reads),
        "Webhooks": hook["url"] if hook["active"] else "none: the daemon asks GitHub for news",
    }
    table = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    body = f"""<h1>Make a GitHub App for this daemon</h1>
<p>The App belongs to you. It lets Windlass see pushes and answer with checks, on the repositories
that you choose.</p>
<dl>{table}</dl>
<form action="{escape(post_to)}" method="post">
<input type="hidden" name="manifest" value="{escape(json.dumps(manifest))}">
<button>Continue on GitHub</button>
</form>
<p class="small">GitHub shows all of this again, and asks you to agree. Its private key comes back to this
machine alone.</p>"""
    return _page("Make a GitHub App", body)


def made_page(*, name: str, install_at: str) -> str:
    """The App is there and its key is stored; what comes next."""
    body = f"""<h1>{escape(name)} is yours</h1>
<p>Its private key is stored on the machine where <code>windlass github setup</code> runs.</p>
<p>Now choose the repositories that it works for:</p>
<p><a class="button" href="{escape(install_at)}">Install the App</a></p>
<p class="small">Afterwards, go on in the terminal. This page has done its work.</p>"""
    return _page("The App is made", body)


def problem_page(title: str, text: str) -> str:
    """What went wrong, and what to do."""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>", kind="bad")


def _page(title: str, body: str, *, kind: str = "good") -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Windlass</title>
<style>{_STYLE}</style>
</head>
<body>
<main class="{kind}">
<p class="brand">WINDLASS</p>
{body}
</main>
</body>
</html>
"""


def _words(names: list[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
