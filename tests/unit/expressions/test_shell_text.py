"""Values of strangers stay out of the text of a script; checked by really running shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass_runner.expressions import ExpressionError
from windlass_runner.expressions.shell_text import bind_arguments, bind_shell, trusted_text
from windlass_runner.expressions.values import Secret, Untrusted, untrusted

HOSTILE = [
    'a"; touch pwned; #',
    "a'; touch pwned; #",
    "$(touch pwned)",
    "`touch pwned`",
    "a\ntouch pwned\n",
    "\\",
    "\\'",
    "'\"'\"$(touch pwned)",
    "EOF\ntouch pwned\ncat <<EOF",
    "* ? [a] ~ {a,b} $HOME ${HOME}",
    " two  words ",
    "!!; & | > pwned",
    "a[$(touch pwned)]",
    "",
    "-n",
    "ünïcödé ☂",
    "\t\n \n",
]

PLACES = {
    "unquoted": "printf '<%s>' ${{ event.title }}",
    "joined": "printf '<%s>' \"\"${{ event.title }}''",
    "double": "printf '<%s>' \"${{ event.title }}\"",
    "single": "printf '<%s>' '${{ event.title }}'",
    "assigned": 'title=${{ event.title }}; printf "<%s>" "$title"',
    "twice": 'a=${{ event.title }}\nb=\'${{ event.title }}\'\n[ "$a" = "$b" ] && printf \'<%s>\' "$a"',
    "substitution": "x=$(printf '%s.' \"${{ event.title }}\"); printf '<%s>' \"${x%.}\"",
    "substitution in double quotes": "x=\"$(printf '%s.' ${{ event.title }})\"; printf '<%s>' \"${x%.}\"",
    "backticks": "x=`printf '%s.' ${{ event.title }}`; printf '<%s>' \"${x%.}\"",
    "backticks in double quotes": "x=\"`printf '%s.' ${{ event.title }}`\"; printf '<%s>' \"${x%.}\"",
    "behind a comment": "# don't ${{ event.title }} \"\nprintf '<%s>' ${{ event.title }}",
    "behind a hash that is no comment": "y=a#'b'; printf '<%s>' '${{ event.title }}'",
    "case": "case ${{ event.title }} in (zz) ;; *) printf '<%s>' ${{ event.title }} ;; esac",
    "case in a substitution": (
        "x=$(case b in a) echo no ;; b) printf '%s.' '${{ event.title }}' ;; esac)\nprintf '<%s>' \"${x%.}\""
    ),
    "after quotes in a word": "printf \"<%s>\" a\"b\"'c'${{ event.title }} | sed '1s/^<abc/</'",
    "function": "f() { printf '<%s>' \"$1\"; }\nif true; then f ${{ event.title }}; fi",
    "subshell": "(cd . && (printf '<%s>' ${{ event.title }}))#'\n",
    "escaped quote": "echo ${{ event.title }} \\' >/dev/null; printf '<%s>' \"${{ event.title }}\"",
    "continued line": "printf \\\n '<%s>' \\\n ${{ event.title }}",
    "after arithmetic": "n=$((1 + (2 << 3))); printf '<%s>' '${{ event.title }}'",
    "after an expansion": "n=${n:-'a}'b}; printf '<%s>' ${{ event.title }}",
}

HEREDOCS = {
    "heredoc": "cat <<EOF\n<${{ event.title }}>\nEOF\n",
    "quoted heredoc": "cat <<'EOF'\n<${{ event.title }}>\nEOF\n",
    "escaped heredoc": "cat <<\\EOF\n<${{ event.title }}>\nEOF\n",
    "heredoc without tabs": "cat <<-EOF\n\t<${{ event.title }}>\n\tEOF\n",
    "heredoc at the end": 'cat <<"EOF"\n<${{ event.title }}>\nEOF',
    "heredoc with a substitution": "cat <<EOF\n<$(printf '%s.' '${{ event.title }}')>\nEOF\n",
}

SHELLS = [shell for shell in ("bash", "sh", "dash") if shutil.which(shell)]


def run(shell: str, text: str, value: str, folder: Path) -> str:
    script, env = bind_shell(text, {"event": untrusted({"title": value})})
    assert value == "" or len(value) < 4 or value not in script
    done = subprocess.run(
        [shell, "-c", script],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **env},
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert not list(folder.iterdir()), script
    assert done.stderr == b"", script
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_printed_and_not_run(place: str, value: str, shell: str, tmp_path: Path) -> None:
    assert run(shell, PLACES[place], value, tmp_path) == f"<{value}>"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("place", HEREDOCS)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_here_document_takes_a_hostile_value(place: str, value: str, shell: str, tmp_path: Path) -> None:
    dot = "." if "substitution" in place else ""
    assert run(shell, HEREDOCS[place], value, tmp_path) == f"<{value}{dot}>\n"


def test_bash_strings_with_escapes_take_a_hostile_value(tmp_path: Path) -> None:
    for value in HOSTILE:
        text = "printf '<%s>' $'it\\'s\\t'${{ event.title }}$'${{ event.title }}\\''"
        assert run("bash", text, value, tmp_path) == f"<it's\t{value}{value}'>"


def test_tests_of_bash_compare_text_and_not_patterns(tmp_path: Path) -> None:
    text = "[[ '*' == ${{ event.title }} && ! ( x == ${{ event.title }} ) ]] && printf yes"
    assert run("bash", text, "*", tmp_path) == "yes"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text(alphabet=st.sampled_from("ab \n\t'\"`$(){}[]\\;&|<>#*?!~=-EOF")),
    place=st.sampled_from([*PLACES, *HEREDOCS]),
)
def test_any_value_is_only_a_strange_name(value: str, place: str, tmp_path: Path) -> None:
    text = {**PLACES, **HEREDOCS}[place]
    end = ".>\n" if place == "heredoc with a substitution" else ">\n" if place in HEREDOCS else ">"
    assert run("bash", text, value, tmp_path) == f"<{value}{end}"


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["'", '"', "`", "$(", ")", "(", "\\", "$", "${", "}", "$((", "))", "<<E\n", "\nE\n", "<<'E'\n"]
            + ["#", " ", "\n", ";", "a", "=", "[[ ", " ]]", "$'", "eval ", "-eq ", "x[", "]", "case a in a)"]
            + ["${{ event.title }}"] * 6
        ),
        max_size=14,
    )
)
def test_whatever_the_script_is_the_value_never_enters_it(
    pieces: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("script")
    value = "x'\"`; touch pwned; $(touch pwned) a[$(touch pwned)] \n touch pwned #"
    try:
        script, env = bind_shell("".join(pieces), {"event": untrusted({"title": value})})
    except ExpressionError:
        return
    assert "pwned" not in script
    subprocess.run(
        ["bash", "-c", script],
        env={"PATH": "/usr/bin:/bin", **env},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert not (folder / "pwned").exists(), script


@pytest.mark.parametrize(
    "text",
    [
        "eval ${{ event.title }}",
        'bash -c "echo ${{ event.title }}"',
        "sudo sh -ec 'echo ${{ event.title }}'",
        "/bin/sh -c \"$(echo '${{ event.title }}')\"",
        "python3 -c \"print('${{ event.title }}')\"",
        "bash <<EOF\necho ${{ event.title }}\nEOF\n",
        "bash -s <<'EOF'\necho ${{ event.title }}\nEOF\n",
        "echo $(( ${{ event.title }} ))",
        "(( x = ${{ event.title }} ))",
        "for (( i = 0; i < ${{ event.title }}; i++ )); do :; done",
        "[[ ${{ event.title }} -eq 1 ]]",
        "[[ 1 -lt ${{ event.title }} ]]",
        "[[ -v ${{ event.title }} ]]",
        "let x=${{ event.title }}",
        "declare ${{ event.title }}",
        "a[${{ event.title }}]=1",
        "echo ${a[${{ event.title }}]}",
        "echo \\${{ event.title }}",
        "cat <<${{ event.title }}\n",
        "trap '${{ event.title }}' EXIT",
        "ssh host echo ${{ event.title }}",
        "if true; then eval ${{ event.title }}; fi",
        "printf -v ${{ event.title }} x",
    ],
)
def test_a_place_that_would_run_the_value_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="env:") as caught:
        bind_shell(text, {"event": untrusted({"title": "a[$(touch pwned)]"})})
    assert caught.value.kind == "evaluation"
    assert caught.value.offset == text.index("${{")


def test_what_the_author_wrote_is_pasted_as_github_does() -> None:
    text = "train --epochs ${{ inputs.epochs }} --name '${{ matrix.name }}' ${{ true }}"
    bound = bind_shell(text, {"inputs": {"epochs": 3}, "matrix": {"name": "a b"}})
    assert bound == ("train --epochs 3 --name 'a b' true", {})


def test_a_quote_in_pasted_text_counts_for_what_follows() -> None:
    contexts = {"inputs": {"quote": "'"}, "event": untrusted({"title": "t"})}
    script, env = bind_shell("echo ${{ inputs.quote }}${{ event.title }}'", contexts)
    assert script == "echo ''\"${WINDLASS_EXPR_1}\"''"
    assert env == {"WINDLASS_EXPR_1": "t"}


def test_the_same_value_gets_one_variable_and_a_secret_gets_one_too() -> None:
    contexts = {"event": untrusted({"a": "x", "b": "x"}), "secrets": {"KEY": Secret("s3cret")}}
    script, env = bind_shell("f ${{ event.a }} ${{ event.b }} ${{ secrets.KEY }}", contexts)
    assert script == 'f "${WINDLASS_EXPR_1}" "${WINDLASS_EXPR_1}" "${WINDLASS_EXPR_2}"'
    assert env == {"WINDLASS_EXPR_1": "x", "WINDLASS_EXPR_2": "s3cret"}


def test_built_strings_stay_a_strangers() -> None:
    contexts = {"event": untrusted({"labels": ["$(touch pwned)"]})}
    for source in ("format('{0}!', event.labels[0])", "join(event.labels)", "toJSON(event)"):
        script, env = bind_shell(f"echo ${{{{ {source} }}}}", contexts)
        assert script == 'echo "${WINDLASS_EXPR_1}"'
        assert "pwned" in env["WINDLASS_EXPR_1"]


def test_a_comment_needs_no_variable() -> None:
    contexts = {"event": untrusted({"title": "a\ntouch pwned"})}
    assert bind_shell("true # ${{ event.title }} '\necho", contexts) == ("true #  '\necho", {})


def test_values_that_no_variable_can_hold_are_refused() -> None:
    for value in ("a\0b", "a" * 200_000):
        with pytest.raises(ExpressionError):
            bind_shell("echo ${{ event.title }}", {"event": untrusted({"title": value})})


def test_a_list_of_arguments_takes_values_as_they_are_except_behind_sh_c() -> None:
    contexts = {"event": untrusted({"title": "$(touch pwned)"})}
    assert bind_arguments(["echo", "${{ event.title }}"], contexts) == (["echo", "$(touch pwned)"], {})
    arguments, env = bind_arguments(["sh", "-c", "echo '${{ event.title }}'"], contexts)
    assert arguments == ["sh", "-c", "echo ''\"${WINDLASS_EXPR_1}\"''"]
    assert env == {"WINDLASS_EXPR_1": "$(touch pwned)"}
    with pytest.raises(ExpressionError):
        bind_arguments(["python", "-c", "print('${{ event.title }}')"], contexts)


def test_code_that_is_no_shell_script_takes_no_strangers_value() -> None:
    assert trusted_text("print(${{ 3 }})", {}) == "print(3)"
    with pytest.raises(ExpressionError, match="env:"):
        trusted_text("print('${{ event }}')", {"event": Untrusted("x")})
