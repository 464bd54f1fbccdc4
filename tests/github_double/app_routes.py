"""The App, its installations and its deliveries, on the double."""

from __future__ import annotations

import secrets
from typing import Final

from github_double.calls import Answer, Call, Json, page, problem, route
from github_double.repository_routes import repository
from github_double.world import Delivery, Installation, Token, private_key, stamp

_TOKEN_LIFE_S: Final = 3600.0


@route("post", "/app-manifests/{code}/conversions")
def convert_manifest(call: Call) -> Answer:
    """Once, within the hour: https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest"""
    app, ends_at = call.world.agreed.pop(call.path["code"], (None, 0.0))
    if app is None or ends_at <= call.world.clock():
        return problem(404, "Not Found")
    call.world.app = app
    secret = {"client_id": "Iv1.8a61f9b3a7aba766", "client_secret": "not needed", "pem": private_key()}
    return Answer(status=201, body={**app_told(call), **secret, "webhook_secret": app.hook_secret})


@route("get", "/app")
def get_app(call: Call) -> Answer:
    return Answer(status=200, body=app_told(call))


@route("get", "/app/installations")
def list_installations(call: Call) -> Answer:
    """The description asks of every account here what only an enterprise has."""
    items, link = page(call, [_installation(call, found) for found in call.world.installations.values()])
    more = {"slug": "", "name": "", "created_at": None, "updated_at": None}
    accounts = [{**item, "account": {**more, **item["account"]}} for item in items]
    return Answer(status=200, body=accounts, headers=link)


@route("get", "/app/installations/{installation_id}")
def get_installation(call: Call) -> Answer:
    found = call.world.installations.get(int(call.path["installation_id"]))
    if found is None:
        return problem(404, "Not Found")
    return Answer(status=200, body=_installation(call, found))


@route("get", "/repos/{owner}/{repo}/installation")
def get_repository_installation(call: Call) -> Answer:
    installations = call.world.installations.values()
    for found in installations:
        if call.repository.id in found.repositories:
            return Answer(status=200, body=_installation(call, found))
    return problem(404, "Not Found")


@route("post", "/app/installations/{installation_id}/access_tokens")
def create_token(call: Call) -> Answer:
    found = call.world.installations.get(int(call.path["installation_id"]))
    if found is None:
        return problem(404, "Not Found")
    if found.is_suspended:
        return problem(403, "This installation has been suspended")
    expires_at = call.world.clock() + _TOKEN_LIFE_S
    token = Token(text=f"ghs_{secrets.token_hex(18)}", expires_at=expires_at, installation=found.id)
    call.world.tokens[token.text] = token
    body = {"token": token.text, "expires_at": stamp(expires_at), "permissions": found.permissions}
    return Answer(status=201, body=call.whole("installation-token", repository_selection="selected", **body))


@route("get", "/app/hook/config")
def get_hook(call: Call) -> Answer:
    if call.world.app.hook_url is None:
        return problem(404, "Not Found")
    hidden = None if call.world.app.hook_secret is None else {"secret": "********"}
    given = {"content_type": "json", "insecure_ssl": "0", "url": call.world.app.hook_url}
    return Answer(status=200, body={**given, **(hidden or {})})


@route("get", "/app/hook/deliveries")
def list_deliveries(call: Call) -> Answer:
    wanted = call.query.get("status") if call.world.lists_failures_alone else None
    newest_first = sorted(call.world.deliveries.values(), key=lambda found: -found.id)
    chosen = [
        found
        for found in newest_first
        if wanted is None or (wanted == "success") == (200 <= found.status_code < 300)
    ]
    start = int(call.query.get("cursor", "0"))
    size = int(call.query.get("per_page", "30"))
    rest = len(chosen) > start + size
    link = f'<{call.url}/app/hook/deliveries?per_page={size}&cursor={start + size}>; rel="next"'
    items = [_delivery(call, found) for found in chosen[start : start + size]]
    return Answer(status=200, body=items, headers={"Link": link} if rest else {})


@route("get", "/app/hook/deliveries/{delivery_id}")
def get_delivery(call: Call) -> Answer:
    found = call.world.deliveries.get(int(call.path["delivery_id"]))
    if found is None:
        return problem(404, "Not Found")
    headers = {"X-GitHub-Event": found.event, "X-GitHub-Delivery": found.guid}
    request = {"headers": headers, "payload": found.payload}
    response = {"headers": {}, "payload": ""}
    return Answer(status=200, body={**_delivery(call, found), "request": request, "response": response})


@route("post", "/app/hook/deliveries/{delivery_id}/attempts")
def redeliver(call: Call) -> Answer:
    found = call.world.deliveries.get(int(call.path["delivery_id"]))
    if found is None:
        return problem(404, "Not Found")
    again = Delivery(
        id=next(call.world.ids),
        guid=found.guid,
        event=found.event,
        payload=found.payload,
        delivered_at=call.world.clock(),
        is_redelivery=True,
    )
    call.world.deliveries[again.id] = again
    call.send(again)
    return Answer(status=202, body={})


@route("get", "/installation/repositories")
def list_installation_repositories(call: Call) -> Answer:
    if call.caller.installation is None:
        return problem(403, "You must authenticate with an installation access token")
    repositories = [call.world.repositories[number] for number in call.caller.installation.repositories]
    items, link = page(call, [repository(call, found, "repository") for found in repositories])
    return Answer(status=200, body={"total_count": len(repositories), "repositories": items}, headers=link)


@route("get", "/user")
def get_user(call: Call) -> Answer:
    if call.caller.login is None:
        return problem(403, "Resource not accessible by integration")
    return Answer(status=200, body=call.whole("public-user", login=call.caller.login))


@route("get", "/rate_limit")
def get_rate_limit(call: Call) -> Answer:
    limit = call.world.hourly_limit
    rate = {
        "limit": limit,
        "remaining": max(0, limit - call.world.calls),
        "used": call.world.calls,
        "reset": int(call.world.clock()) + 3600,
    }
    resources = {"core": rate, "search": rate}
    return Answer(status=200, body=call.whole("rate-limit-overview", resources=resources, rate=rate))


def app_told(call: Call) -> Json:
    app = call.world.app
    told = call.whole(
        "integration",
        id=call.world.app_id,
        slug=app.slug,
        name=app.name,
        html_url=f"https://github.com/apps/{app.slug}",
        permissions=app.permissions,
        events=app.events,
    )
    is_person = app.owner_kind == "simple-user"
    owner = call.user(app.owner) if is_person else call.whole("enterprise", slug=app.owner)
    return {**told, "owner": owner}


def _installation(call: Call, found: Installation) -> Json:
    return call.whole(
        "installation",
        id=found.id,
        app_id=call.world.app_id,
        app_slug="windlass",
        account=call.user(found.account),
        target_type="Organization",
        permissions=found.permissions,
        events=call.world.app.events,
        html_url=f"https://github.com/organizations/{found.account}/settings/installations/{found.id}",
        access_tokens_url=f"{call.url}/app/installations/{found.id}/access_tokens",
        suspended_at=stamp(call.world.clock()) if found.is_suspended else None,
    )


def _delivery(call: Call, found: Delivery) -> Json:
    return call.whole(
        "hook-delivery-item",
        id=found.id,
        guid=found.guid,
        event=found.event,
        action=found.payload.get("action"),
        status="OK" if 200 <= found.status_code < 300 else "failed to connect to host",
        status_code=found.status_code,
        redelivery=found.is_redelivery,
        delivered_at=stamp(found.delivered_at),
        repository_id=found.payload.get("repository", {}).get("id"),
    )
