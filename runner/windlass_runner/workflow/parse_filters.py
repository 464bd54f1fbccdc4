"""The filters of triggers: which branches, tags and files a push or pull request must be about."""

from __future__ import annotations

from typing import Final

import yaml

from windlass_runner.workflow import patterns
from windlass_runner.workflow.model import RefFilter
from windlass_runner.workflow.reading import WorkflowReader

FILTER_KEYS: Final = frozenset(
    {"branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"}
)
GITHUB_KEYS: Final = frozenset({"branches", "tags"})
ONLY_KEYS: Final = frozenset({"only", "ignore"})
_ELSEWHERE: Final = {"include": "write 'only'", "exclude": "write 'ignore'", "except": "write 'ignore'"}


def read_filter(
    reader: WorkflowReader, node: yaml.Node | None, what: str, known: frozenset[str]
) -> RefFilter:
    fields = reader.fields(node, what, known) if node is not None else {}
    for kind in ("branches", "tags", "paths"):
        if kind in fields and f"{kind}-ignore" in fields:
            reader.error(
                fields[f"{kind}-ignore"],
                f"{what} has both '{kind}' and '{kind}-ignore'",
                f"keep '{kind}' and take away with patterns that begin with '!'",
            )
    return RefFilter(
        **{key.replace("-", "_"): read_patterns(reader, fields.get(key), f"'{key}'") for key in FILTER_KEYS}
    )


def read_patterns(reader: WorkflowReader, node: yaml.Node | None, what: str) -> tuple[str, ...]:
    if node is None:
        return ()
    found: list[str] = []
    for item in reader.items_or_one(node, what):
        pattern = reader.plain(item, f"an item of {what}")
        if pattern is None:
            continue
        try:
            patterns.check(pattern)
        except patterns.PatternError as error:
            reader.error(item, str(error))
        if " " in pattern and "paths" not in what:
            names = ", ".join(pattern.replace(",", " ").split())
            reader.error(item, f"no branch or tag can be called '{pattern}'", f"write a list: [{names}]")
        found.append(pattern)
    if found and all(patterns.is_negative(pattern) for pattern in found):
        ignore = what.strip("'")
        reader.error(
            node,
            f"{what} only takes away, so that nothing is left",
            f"write '{ignore}-ignore', or a pattern such as '**' before those with '!'"
            if not ignore.endswith("-ignore")
            else "leave the '!' out",
        )
    return tuple(found)


def read_gradient_filter(reader: WorkflowReader, node: yaml.Node | None) -> RefFilter:
    """`github: {branches: {only: main}}`; `only` takes a name or a list."""
    lists: dict[str, tuple[str, ...]] = {}
    fields = reader.fields(node, "'github'", GITHUB_KEYS) if node is not None else {}
    for kind, value in fields.items():
        if not isinstance(value, yaml.MappingNode):
            lists[kind] = read_patterns(reader, value, f"'{kind}'")
            continue
        for word, names in reader.fields(value, f"'{kind}'", ONLY_KEYS, elsewhere=_ELSEWHERE).items():
            suffix = "_ignore" if word == "ignore" else ""
            lists[kind + suffix] = read_patterns(reader, names, f"'{word}'")
    return RefFilter(**lists)
