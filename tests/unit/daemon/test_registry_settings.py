from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry_world import World, begin
from windlass_registry.catalog import Catalog, Registry
from windlass_registry.errors import OperatorError
from windlass_registry.index import Index
from windlass_registry.refs import RegistryRef, parse_uses
from windlass_registry.store import Store
from windlass_registry.trust.client import root_digest
from windlass_registry.trust.explaining import TrustError
from windlass_runner.daemon.registries import open_registries
from windlass_runner.daemon.registry_settings import RegistrySettings
from windlass_runner.daemon.settings import Settings, parse_settings
from windlass_runner.daemon.toml_reader import SettingsError
from windlass_runner.run.storage import Storage

DIGEST = "sha256:" + "0a" * 32


def read(text: str, tmp_path: Path) -> Settings:
    return parse_settings(text, path=tmp_path / "windlass.toml", environ={"HOME": "/home/ann"})


def test_a_registry_has_an_address_a_root_and_its_namespaces(tmp_path: Path) -> None:
    settings = read(
        f"""
        [[registry]]
        url = "https://registry.example.org/"
        root = "{DIGEST}"
        namespaces = ["acme"]

        [[registry]]
        url = "mirror"
        root = "root.json"
        """,
        tmp_path,
    )
    first, second = settings.registries
    assert first == RegistrySettings(
        name="registry.example.org",
        url="https://registry.example.org",
        root_digest=DIGEST,
        namespaces=("acme",),
    )
    assert (second.name, second.url) == ("mirror", str(tmp_path / "mirror"))
    assert second.root_file == tmp_path / "root.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'root = "{DIGEST}"', "without `url`"),
        ('url = "https://r.example.org"', "nothing of it could be believed"),
        (f'url = "ftp://r.example.org"\nroot = "{DIGEST}"', "no address"),
        (f'url = "https://r.example.org"\nroot = "{DIGEST}"\nnamespaces = ["A"]', "'A' is no namespace"),
        (f'url = "https://r.example.org"\nroot = "{DIGEST}"\nname = "a b"', "cannot be the name"),
        (f'url = "https://r.example.org"\nroot = "{DIGEST}"\nname = "registry"', "two registries"),
        (f'url = "https://r.example.org"\nroot = "{DIGEST}"\ntoken = "x"', "token"),
    ],
)
def test_what_is_wrong_with_a_registry_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(f"[[registry]]\n{text}\n", tmp_path)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.line


def test_a_namespace_is_claimed_once(tmp_path: Path) -> None:
    one = f'[[registry]]\nurl = "https://%s.example.org"\nroot = "{DIGEST}"\nnamespaces = ["acme"]\n'
    with pytest.raises(SettingsError, match=r"looked up at 'a\.example\.org' already"):
        read(one % "a" + one % "b", tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = begin(tmp_path / "world")
    world.now = datetime.now(UTC).replace(microsecond=0)
    world.registry.refresh(is_forced=True)
    world.publish()
    return world


def opened(storage: Path, *settings: RegistrySettings) -> tuple[Registry, ...]:
    return open_registries(
        settings,
        storage=Storage(storage),
        packages=Store(storage / "packages"),
        clock=lambda: datetime.now(UTC),
    )


def of(world: World, *, digest: str) -> RegistrySettings:
    return RegistrySettings(name="r", url=str(world.registry.folder), root_digest=digest)


def test_a_registry_is_pinned_by_its_roots_digest_when_it_is_first_read(tmp_path: Path, world: World) -> None:
    settings = of(world, digest=root_digest(world.root))
    own, other = opened(tmp_path / "storage", settings)
    assert own.source.releases("acme/train") == ()
    (release,) = other.source.releases("acme/train")
    assert release.load().manifest.name == "Train"
    assert (tmp_path / "storage" / "registries" / "r.root.json").read_bytes() == world.root
    _, again = opened(tmp_path / "storage", settings)
    assert again.source.releases("acme/train")


def test_a_registry_with_another_root_is_not_believed(tmp_path: Path, world: World) -> None:
    _, other = opened(tmp_path / "storage", of(world, digest=DIGEST))
    assert other.source.known("acme/train") == ()
    with pytest.raises(TrustError):
        other.source.releases("acme/train")


def test_a_root_file_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = RegistrySettings(name="r", url="https://r.example.org", root_file=tmp_path / "root.json")
    _, other = opened(tmp_path / "storage", settings)
    with pytest.raises(OperatorError, match=r"root\.json"):
        other.source.releases("acme/train")


def test_the_daemons_own_registry_is_found_as_soon_as_it_is_begun(tmp_path: Path, world: World) -> None:
    (own,) = opened(tmp_path / "storage")
    ref = parse_uses("acme/train@v1")
    assert isinstance(ref, RegistryRef)
    catalog = Catalog(builtin=Index({}), registries=[own])
    assert own.source.releases("acme/train") == ()
    (tmp_path / "storage").mkdir()
    world.registry.folder.rename(tmp_path / "storage" / "registry")
    (release,) = catalog.releases(ref)
    assert (release.source, str(release.version)) == ("registry", "1.0.0")
