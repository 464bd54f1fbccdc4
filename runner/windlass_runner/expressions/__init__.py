"""GitHub's expression language: what stands between `${{` and `}}`.

`workflow` checks the syntax, `plan` and `run` evaluate. A value that a stranger could have set is
marked (`values`), so that `shell_text` can keep it out of the text of a script.
"""

from windlass_runner.expressions.errors import ExpressionError
from windlass_runner.expressions.evaluator import evaluate, evaluate_node
from windlass_runner.expressions.file_hash import hash_files
from windlass_runner.expressions.host import FixedHost, FunctionHost
from windlass_runner.expressions.nodes import Node
from windlass_runner.expressions.parser import parse
from windlass_runner.expressions.references import context_names, references
from windlass_runner.expressions.shell_text import bind_arguments, bind_shell, trusted_text
from windlass_runner.expressions.templates import (
    Template,
    calls_status_function,
    condition,
    evaluate_condition,
    evaluate_template,
    evaluate_value,
    parse_template,
)
from windlass_runner.expressions.values import Contexts, Secret, Untrusted, plain, secret, untrusted

__all__ = [
    "Contexts",
    "ExpressionError",
    "FixedHost",
    "FunctionHost",
    "Node",
    "Secret",
    "Template",
    "Untrusted",
    "bind_arguments",
    "bind_shell",
    "calls_status_function",
    "condition",
    "context_names",
    "evaluate",
    "evaluate_condition",
    "evaluate_node",
    "evaluate_template",
    "evaluate_value",
    "hash_files",
    "parse",
    "parse_template",
    "plain",
    "references",
    "secret",
    "trusted_text",
    "untrusted",
]
