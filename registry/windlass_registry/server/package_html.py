"""The page of a package: what it is, how to use it, what it takes and gives, who made it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from windlass_registry.archive import Entry
from windlass_registry.manifest import ActionManifest, GraphRuns
from windlass_registry.samples.filling import as_text
from windlass_registry.samples.manifest import Sample
from windlass_registry.samples.outline import outline
from windlass_registry.samples.parameters import Parameter
from windlass_registry.server.graph_svg import graph_svg
from windlass_registry.server.layout_html import NOTHING, badges, copyable, page
from windlass_registry.server.markup import Html, fill, join
from windlass_registry.server.notices_html import measured_html, notice_mark, notices_html
from windlass_registry.server.readme import readme_html
from windlass_registry.server.shown import ShownOrigin, ShownPackage, ShownRelease
from windlass_registry.server.usage import usage

_FILE_CHARS: Final = 60_000
_FILES_SHOWN: Final = 60


def package_page(shown: ShownPackage, *, base: str) -> str:
    """The whole document."""
    contents = shown.contents
    middle = NOTHING
    if contents.action is not None:
        middle = _action(shown, contents.action)
    elif contents.sample is not None:
        middle = _sample(shown, contents.sample, base=base)
    readme = (
        fill('<section class="readme">{text}</section>', text=readme_html(contents.readme))
        if contents.readme
        else NOTHING
    )
    body = fill(
        '<div class="package"><article>{head}{notices}{warnings}{middle}{readme}{files}</article>'
        "<aside>{facts}</aside></div>",
        head=_head(shown),
        notices=notices_html(shown, base=base),
        warnings=_warnings(shown),
        middle=middle,
        readme=readme,
        files=_files(contents.files),
        facts=_facts(shown, base=base),
    )
    return page(f"{shown.card.name} – Windlass registry", body, base=base)


def _head(shown: ShownPackage) -> Html:
    namespace, slash, name = shown.card.name.rpartition("/")
    return fill(
        '<h1><small>{namespace}</small>{name} <span class="version">{version}</span></h1>{badges}'
        '<p class="lead">{summary}</p>',
        namespace=namespace + slash,
        name=name,
        version=shown.release.version,
        badges=badges(shown.card),
        summary=shown.card.summary,
    )


def _warnings(shown: ShownPackage) -> Html:
    release, newest = shown.release, shown.releases[0]
    lines = []
    if release.yanked is not None:
        text = "Yanked by its publisher: {why}. Who has locked it still gets it; nobody else does."
        lines.append(fill(f'<p class="notice bad">{text}</p>', why=release.yanked))
    if release.deprecated is not None:
        lines.append(fill('<p class="notice odd">Deprecated: {it}</p>', it=release.deprecated))
    if newest.version != release.version and newest.yanked is None:
        lines.append(fill('<p class="notice">There is a newer release, {it}.</p>', it=newest.version))
    if not shown.contents.files:
        lines.append(fill('<p class="notice odd">{it}</p>', it="Its files are too large to be shown here."))
    return join(lines)


def _action(shown: ShownPackage, action: ActionManifest) -> Html:
    inputs = [
        (
            one.name,
            " | ".join(map(str, one.options)) or one.type or "text",
            "required" if one.required else "" if one.default in (None, "") else as_text(one.default),
            one.description,
        )
        for one in action.inputs.values()
    ]
    outputs = [(one.name, one.type or "text", "", one.description) for one in action.outputs.values()]
    return fill(
        "<h2>Use it</h2>{uses}{jobs}{inputs}{outputs}{asks}",
        uses=fill("<pre>{text}</pre>", text=usage(shown.uses, action)),
        jobs=fill("<h2>Jobs</h2>{graph}", graph=_graph(action.runs.source))
        if isinstance(action.runs, GraphRuns)
        else NOTHING,
        inputs=_table("Inputs", ("Name", "Type", "Default", ""), inputs),
        outputs=_table("Outputs", ("Name", "Type", "", ""), outputs),
        asks=_permissions(action.permissions),
    )


def _permissions(asked: Mapping[str, Any]) -> Html:
    if not asked:
        return NOTHING
    words = [f"{name}: {as_text(value)}" for name, value in asked.items()]
    return fill("<h2>It asks for</h2><p>{it}</p>", it=", ".join(words))


def _sample(shown: ShownPackage, sample: Sample, *, base: str) -> Html:
    manifest = sample.manifest
    agreement = (
        fill("<h2>Agreement</h2><pre>{text}</pre>", text=manifest.agreement)
        if manifest.agreement
        else NOTHING
    )
    return fill(
        '{picture}<h2>Subscribe</h2>{command}{graph}{form}<p class="quiet">Licence: {license}</p>{agreement}',
        command=fill(
            '<div class="copy" data-command="windlass subscribe {uses}">'
            "<code>windlass subscribe {uses}</code></div>",
            uses=shown.uses,
        ),
        graph=_graph(sample.template),
        picture=_picture(shown, base=base) if sample.picture is not None else NOTHING,
        form=_form(manifest.parameters.form()),
        license=manifest.license,
        agreement=agreement,
    )


def _graph(text: str) -> Html:
    """The jobs that a text has, drawn."""
    return fill('<div class="picture">{graph}</div>', graph=graph_svg(outline(text)))


def _picture(shown: ShownPackage, *, base: str) -> Html:
    return fill(
        '<p><img class="yields" src="{base}{path}/{version}/picture" alt="What {name} yields"></p>',
        base=base,
        path=shown.card.path,
        version=shown.release.version,
        name=shown.card.name,
    )


def _form(questions: tuple[Parameter, ...]) -> Html:
    if not questions:
        return NOTHING
    return fill(
        '<h2>Parameters</h2><form class="parameters">{fields}</form>', fields=join(map(_field, questions))
    )


def _field(one: Parameter) -> Html:
    default = "" if one.default is None else as_text(one.default)
    required = Html(" required") if one.is_required else NOTHING
    if one.choices:
        options = join(
            fill(
                "<option{chosen}>{it}</option>",
                it=as_text(each),
                chosen=Html(" selected") if each == one.default else NOTHING,
            )
            for each in one.choices
        )
        control = fill(
            '<select name="{name}" data-default="{default}">{options}</select>',
            name=one.name,
            default=default,
            options=options,
        )
    elif one.type == "boolean":
        control = fill(
            '<select name="{name}" data-default="{default}"><option{yes}>true</option>'
            "<option{no}>false</option></select>",
            name=one.name,
            default=default,
            yes=Html(" selected") if one.default is True else NOTHING,
            no=NOTHING if one.default is True else Html(" selected"),
        )
    else:
        kind = "number" if one.type in ("integer", "number") else "text"
        control = fill(
            '<input name="{name}" type="{kind}" step="any" value="{default}" data-default="{default}"'
            "{required}>",
            name=one.name,
            kind=kind,
            default=default,
            required=required,
        )
    return fill(
        "<label><span>{title}</span>{control}<small>{about}</small></label>",
        title=one.title,
        control=control,
        about=one.description,
    )


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Html:
    lines = [
        fill(
            "<tr><td><code>{name}</code></td><td>{kind}</td><td>{default}</td><td>{about}</td></tr>",
            name=name,
            kind=kind,
            default=default,
            about=about,
        )
        for name, kind, default, about in rows
    ]
    if not lines:
        return NOTHING
    return fill(
        '<h2>{title}</h2><div class="wide"><table><thead><tr>{heads}</tr></thead>'
        "<tbody>{rows}</tbody></table></div>",
        title=title,
        heads=join(fill("<th>{it}</th>", it=head) for head in heads),
        rows=join(lines),
    )


def _files(files: Mapping[str, Entry]) -> Html:
    if not files:
        return NOTHING
    shown = [_file(name, files[name]) for name in sorted(files)[:_FILES_SHOWN]]
    more = len(files) - len(shown)
    rest = fill('<p class="quiet">and {more} more</p>', more=more) if more > 0 else NOTHING
    return fill('<h2 id="files">Files</h2>{files}{rest}', files=join(shown), rest=rest)


def _file(name: str, entry: Entry) -> Html:
    if entry.target is not None:
        text = f"a link to {entry.target}"
    elif b"\0" in entry.content[:8000]:
        text = f"{len(entry.content):,} bytes that are no text"
    else:
        text = entry.content.decode("utf-8", "replace")
        text = text[:_FILE_CHARS] + ("\n…" if len(text) > _FILE_CHARS else "")
    return fill("<details><summary>{name}</summary><pre>{text}</pre></details>", name=name, text=text)


def _facts(shown: ShownPackage, *, base: str) -> Html:
    release = shown.release
    day = "" if release.published is None else f"{release.published:%d %B %Y}"
    rows = [
        ("Use", copyable(f"uses: {shown.uses}") if shown.card.kind == "action" else NOTHING),
        ("Measured", measured_html(release.measured)),
        ("Published", fill("{it}", it=day)),
        ("Made by", _origin(shown.origin)),
        ("Keys", join(fill("<code>{it}</code><br>", it=each) for each in shown.fingerprints)),
        ("Digest", fill('<code class="digest">{it}</code>', it=release.digest)),
        ("Size", fill("{it}", it=_size(release.size_bytes) if release.size_bytes else "")),
        ("Downloads", fill("{it}", it=f"{shown.card.downloads:,}" if shown.card.downloads else "")),
        ("Subscribers", fill("{it}", it=f"{shown.subscribers:,}" if shown.subscribers else "")),
        ("Releases", join(_release(one, shown, base=base) for one in shown.releases[:40])),
    ]
    return Html(
        "<dl>"
        + "".join(fill("<dt>{name}</dt><dd>{it}</dd>", name=name, it=it) for name, it in rows if it)
        + "</dl>"
    )


def _origin(origin: ShownOrigin | None) -> Html:
    if origin is None:
        return NOTHING
    where = (
        f"{origin.repository} at {(origin.commit or '')[:12]}"
        if origin.repository
        else "files in no git repository"
    )
    dirty = ", with changes that were not committed" if origin.repository and origin.is_dirty else ""
    return fill("{who}, from {where}{dirty}", who=origin.publisher, where=where, dirty=dirty)


def _release(one: ShownRelease, shown: ShownPackage, *, base: str) -> Html:
    mark = "yanked" if one.yanked is not None else "deprecated" if one.deprecated is not None else ""
    is_here = one.version == shown.release.version
    path = f"{base}{shown.card.path}"
    compare = fill(
        ' <a class="quiet" href="{path}/diff/{a}...{b}">diff</a>',
        path=path,
        a=one.version,
        b=shown.release.version,
    )
    return fill(
        '<div class="release"><a href="{path}/{version}"{current}>{version}</a>'
        '<span class="quiet">{day} {mark}</span>{notice}{compare}<p>{notes}</p></div>',
        path=path,
        version=one.version,
        current=Html(' aria-current="page"') if is_here else NOTHING,
        day="" if one.published is None else f" {one.published:%Y-%m-%d}",
        mark=mark,
        notice=notice_mark(one),
        compare=NOTHING if is_here else compare,
        notes=one.notes[:400],
    )


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1000:.1f} kB"
