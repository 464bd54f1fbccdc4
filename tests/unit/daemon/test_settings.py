from __future__ import annotations

import os
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.daemon.secret_sources import SecretSource
from windlass_runner.daemon.settings import Settings, find_settings, load_settings
from windlass_runner.daemon.toml_reader import SettingsError

EXAMPLE = """
[server]
listen = "127.0.0.1:8470"
url = "https://ci.example.org"         # how others reach it; used in links on commits

[storage]
path = "/var/lib/windlass"             # ledger (SQLite), content store, mirrors
# database = "postgresql://…"          # instead of SQLite
# objects = "s3://bucket/prefix"       # instead of files

[[repository]]
url = "file:///srv/git/digits.git"     # any git address
poll_s = 2                             # 0: webhooks only

[[repository]]
url = "https://github.com/acme/digits"
forge = "github"
credentials = "acme-app"

[credentials.acme-app]
app_id = 4711
private_key = {file = "acme-app.pem"}
webhook_secret = {file = "hook-secret"}

[[host]]
name = "local"
docker = "unix:///var/run/docker.sock" # or ssh://user@gpu1, tcp://…
"""

HUB = '[[repository]]\nforge = "github"\nurl = "https://github.com/acme/digits"\n'
APP = '[credentials.app]\napp_id = 1\nprivate_key = {file = "key.pem"}\n'


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "windlass.toml"
    path.write_text(text)
    return load_settings(path, {"HOME": "/home/ada"})


def _problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, text)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_the_example_of_the_design_is_read(tmp_path: Path) -> None:
    settings = _load(tmp_path, EXAMPLE)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8470)
    assert settings.storage.path == Path("/var/lib/windlass")
    local, hub = settings.repositories
    assert (local.url, local.name, local.poll_s) == ("file:///srv/git/digits.git", "digits", 2.0)
    assert (hub.forge, hub.name, hub.credentials) == ("github", "acme/digits", "acme-app")
    account = settings.credentials["acme-app"]
    assert (account.app_id, account.private_key) == (4711, SecretSource(file=tmp_path / "acme-app.pem"))
    assert hub.webhook_secret == account.webhook_secret == SecretSource(file=tmp_path / "hook-secret")
    assert settings.hosts[0].docker == "unix:///var/run/docker.sock"


def test_without_a_file_one_machine_is_served() -> None:
    settings = load_settings(None, {"HOME": "/home/ada"})
    assert settings.repositories == ()
    assert [host.engine for host in settings.hosts] == ["docker"]
    root = os.geteuid() == 0
    expected = "/var/lib/windlass" if root else "/home/ada/.local/state/windlass"
    assert settings.storage.path == Path(expected)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('url = "https://ci.example.org"', None),
        ('url = "http://localhost:8470/"', "http://*.localhost:8470"),
        ('url = "http://127.0.0.1:80"', "http://*.localhost"),
        ('url = "http://localhost:8470"\napps_url = "http://127.0.0.1:8470"', "http://127.0.0.1:8470"),
        ('url = "https://ci.x.org"\napps_url = "https://*.apps.x.org:443/"', "https://*.apps.x.org"),
    ],
)
def test_apps_have_host_names_of_their_own_where_the_owner_or_the_machine_gives_them(
    tmp_path: Path, told: str, expected: str | None
) -> None:
    assert _load(tmp_path, f"[server]\n{told}\n").server.apps_url == expected


def test_unknown_keys_are_refused_with_line_and_nearest_word(tmp_path: Path) -> None:
    text = '[server]\nlisten = "127.0.0.1:0"\n  lissten = "x"\n\n[[repository]]\nurl = "/a"\n'
    text += '[[repository]]\nurl = "/b"\npol_s = 3\n[hots]\n'
    assert _problems(tmp_path, text) == [
        "windlass.toml:3:3: unknown key 'lissten' in [server]; did you mean 'listen'?",
        "windlass.toml:9:1: unknown key 'pol_s' in [repository]; did you mean 'poll_s'?",
        "windlass.toml:10:1: unknown key 'hots'; did you mean 'host'?",
    ]


def test_a_key_inside_a_text_of_several_lines_is_not_taken_for_one(tmp_path: Path) -> None:
    text = '[server]\nurl = """https://x\n"""\n[storage]\nurl = 1\n'
    assert _problems(tmp_path, text)[-1].startswith("windlass.toml:5:1: unknown key 'url' in [storage]")


def test_a_secret_is_never_inline(tmp_path: Path) -> None:
    text = '[[repository]]\nurl = "/a"\nwebhook_secret = "hush"\n[secrets]\nTOKEN = "t"\n'
    problems = _problems(tmp_path, text)
    assert [problem.split(":")[1] for problem in problems] == ["3", "5"]
    assert all("is not written here" in problem for problem in problems)
    assert "hush" not in "".join(problems)


def test_a_secret_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    text = '[secrets]\nA = {env = "TOKEN_A"}\nB = {file = "token"}\nC = {env = "NONE"}\nD = {file = "/none"}'
    secrets = _load(tmp_path, text).secrets
    values = {name: source.read({"TOKEN_A": "from the environment"}) for name, source in secrets.items()}
    assert values == {"A": "from the environment", "B": "from a file", "C": None, "D": None}


@pytest.mark.parametrize("source", ["{}", '{env = "A", file = "b"}', '{envv = "A"}', "{env = 1}"])
def test_a_secret_has_exactly_one_place(tmp_path: Path, source: str) -> None:
    assert _problems(tmp_path, f"[secrets]\nA = {source}\n")[0].startswith("windlass.toml:2:1: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[server]\nlisten = "8470"', "2:1: '8470' is not an address"),
        ('[server]\nlisten = "a:99999"', "2:1: 'a:99999' is not an address"),
        ('[server]\nurl = "ci"', "2:1: 'ci' is not an http address"),
        ("[server]\nurl = 5", "2:1: 'server.url' must be text, not 5"),
        ('[server]\nurl = "https://a"\napps_url = "b"', "3:1: 'b' is not an http address"),
        ('[server]\napps_url = "https://b"', "2:1: 'apps_url' needs a host name that is not that of 'url'"),
        ('[server]\nurl = "http://a"\napps_url = "https://a/"', "3:1: 'apps_url' needs a host name"),
        (
            '[server]\nurl = "http://a"\napps_url = "https://b/c"',
            "3:1: 'https://b/c' is not an address of apps",
        ),
        ('[server]\nurl = "http://a"\napps_url = "https://x.*.b"', "3:1: 'https://x.*.b' is not an address"),
        ('[server]\nurl = "http://a.b"\napps_url = "http://*.b"', "3:1: 'http://*.b' takes in the host name"),
        ("server = 5", "1:1: 'server' must be a table, not 5; write [server]"),
        ('[repository]\nurl = "a"', "1:1: 'repository' must be a list of tables; write [[repository]]"),
        ('[[repository]]\nurl = "https://a:b@host/c.git"', "2:1: 'repository.url' holds a password"),
        ("[[repository]]\npoll_s = 1", "1:1: a repository without `url`"),
        ('[[repository]]\nurl = "/a"\npoll_s = -1', "3:1: 'repository.poll_s' must be a number from 0 up"),
        ('[[repository]]\nurl = "/a"\npoll_s = nan', "3:1: 'repository.poll_s' must be a number"),
        ('[[repository]]\nurl = "/a"\nforge = "gitub"', "3:1: 'repository.forge' cannot be 'gitub'"),
        ('[[repository]]\nurl = "/a"\n[[repository]]\nurl = "/a/"', "4:1: the repository file:///a is named"),
        ('[[repository]]\nurl = "/x/a"\n[[repository]]\nurl = "/y/a"', "3:1: two repositories have the name"),
        ('[[repository]]\nurl = "/a"\nchecks_per = "jobs"', "3:1: 'repository.checks_per' cannot be 'jobs'"),
        ('[[repository]]\nurl = "/a"\ncomment = true', "3:1: comments are written on GitHub only"),
        (
            '[[repository]]\nurl = "/a"\nsample_updates = "yes"',
            "3:1: 'repository.sample_updates' cannot be 'yes'",
        ),
        ('[[repository]]\nurl = "/a"\nskipped = "pass"', "3:1: 'repository.skipped' cannot be 'pass'"),
        ('[[host]]\ndocker = "here"', "2:1: 'here' is not an engine's address"),
        ('[[host]]\nengine = "podmann"', "2:1: 'host.engine' cannot be 'podmann'"),
        ("[runner]\nparallelism = 0", "2:1: 'runner.parallelism' must be at least 1, not 0"),
        ("[runner]\nparallelism = true", "2:1: 'runner.parallelism' must be a whole number, not true"),
        ('[storage]\ndatabase = "mysql://x"', "2:1: 'storage.database' must be a postgresql:// address"),
        ('[instance-types]\nA = {memory = "lots"}', "2:1: 'lots' is not an amount of memory"),
        ('[instance-types]\nA = "x"', "2:1: 'instance-types.A' must be a table"),
        ("[server\n", "1:8: not TOML"),
        (f"{HUB}", "2:1: a repository on GitHub without `credentials`; name those of a GitHub App"),
        (f'{HUB}credentials = "ap"\n{APP}', "4:1: there are no credentials 'ap'; did you mean 'app'?"),
        (f'{HUB}credentials = "x"\n', "4:1: there are no credentials 'x'; add [credentials.x]"),
        (
            f'[[repository]]\nforge = "github"\nurl = "file:///srv/a.git"\ncredentials = "app"\n{APP}',
            "3:1: 'a' is not the name of a repository on GitHub; write name = \"owner/name\"",
        ),
        (
            '[[repository]]\nforge = "gitlab"\nurl = "https://gitlab.com/digits"\ncredentials = "t"\n'
            '[credentials.t]\ntoken = {env = "T"}\n',
            "3:1: 'digits' is not the name of a repository on GitLab; write name = \"group/name\"",
        ),
        (
            '[[repository]]\nforge = "gitea"\nurl = "https://git.example.org/a/b"\n',
            "2:1: a repository on Gitea without `credentials`; name those of a token: [credentials.NAME]",
        ),
        (
            f'[[repository]]\nforge = "gitlab"\nurl = "https://gitlab.com/a/b"\ncredentials = "app"\n{APP}',
            "4:1: GitLab knows no Apps; write `token` in [credentials.app]",
        ),
        (
            '[[repository]]\nforge = "gitea"\nurl = "https://git.example.org/a/b"\ncredentials = "t"\n'
            '[credentials.t]\ntoken = {env = "T"}\n',
            '4:1: where Gitea is has to be told; write api_url = "https://git.example.org/api/v1" in',
        ),
        ("[credentials.app]\n", "1:1: credentials without `token` or `app_id`; write `token`, or `app_id`"),
        ("[credentials.app]\napp_id = 1\n", "2:1: a GitHub App without `private_key`; write private_key"),
        ('[credentials.a]\ntoken = "ghp_x"\n', "2:1: 'credentials.a.token' is a secret and is not written"),
        (f'{APP}token = {{env = "T"}}\n', "2:1: 'credentials.app.app_id' has no meaning beside a token"),
        (f'{APP}api_url = "github.com"\n', "4:1: 'github.com' is not an http address"),
        (f"{APP}app_ip = 2\n", "4:1: unknown key 'app_ip' in [credentials.app]; did you mean 'app_id'?"),
    ],
)
def test_every_mistake_has_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert _problems(tmp_path, text)[0].startswith(f"windlass.toml:{told}")


def test_a_path_is_one_repository_however_it_is_written(tmp_path: Path) -> None:
    settings = _load(
        tmp_path, '[[repository]]\nurl = "repos/../a.git/"\n[[repository]]\nurl = "git@host:a/b.git"\n'
    )
    assert [r.url for r in settings.repositories] == [f"file://{tmp_path}/a.git", "git@host:a/b.git"]
    assert [r.name for r in settings.repositories] == ["a", "a/b"]


def test_a_project_of_gitlabs_is_named_with_all_its_groups(tmp_path: Path) -> None:
    text = "".join(
        f'[[repository]]\nurl = "{url}"\nforge = "{forge}"\ncredentials = "t"\n'
        for url, forge in (
            ("https://gitlab.com/acme/vision/digits.git", "gitlab"),
            ("git@gitlab.com:acme/vision/letters.git", "gitlab"),
            ("https://example.org/git/acme/digits.git", "gitea"),
        )
    )
    text += '[credentials.t]\napi_url = "https://example.org/git/api/v1/"\ntoken = {env = "T"}\n'
    settings = _load(tmp_path, text)
    names = ["acme/vision/digits", "acme/vision/letters", "acme/digits"]
    assert [repository.name for repository in settings.repositories] == names


def test_instance_types_are_amounts(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[instance-types]\nP4000 = {gpu = 1, cpu = 8, memory = "30GB"}\n')
    assert settings.instance_types == {"P4000": {"gpu": 1, "cpu": 8, "memory_bytes": 30_000_000_000}}


def test_a_file_that_is_not_there_is_the_owners_to_mend(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})


def test_settings_are_found_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "windlass.toml").write_text("")
    assert find_settings(tmp_path) == tmp_path / "windlass.toml"


def test_a_secret_source_does_not_show_a_value() -> None:
    assert str(SecretSource(env="TOKEN")) == "the variable TOKEN"


def test_a_path_by_way_of_another_folder_is_shown_without_the_way(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "windlass.toml").write_text('[storage]\npath = "state"\n')
    settings = load_settings(tmp_path / "clone" / ".." / "windlass.toml", {})
    assert settings.storage.path == tmp_path / "state"


def test_runs_are_kept_for_ninety_days_or_as_long_as_the_owner_wants(tmp_path: Path) -> None:
    storage = _load(tmp_path, "").storage
    assert (storage.keep_runs_days, storage.keep_logs_days, storage.keep_artifacts_days) == (90, 0, 0)
    assert storage.cache_bytes == 20_000_000_000
    assert _load(tmp_path, '[storage]\ncache = "5GB"\n').storage.cache_bytes == 5_000_000_000
    storage = _load(tmp_path, "[storage]\nkeep_runs_days = 0\nkeep_logs_days = 30\n").storage
    assert (storage.keep_runs_days, storage.keep_logs_days) == (0, 30)
    with pytest.raises(SettingsError, match="keep_artifacts_days' must be at least 0"):
        _load(tmp_path, "[storage]\nkeep_artifacts_days = -1\n")
