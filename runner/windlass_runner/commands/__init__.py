"""The commands of `windlass`, one module each. `windlass_runner.cli` loads the one that was named.

A command module has:

    EXAMPLE: str                                          shown below its --help
    def configure(parser: ArgumentParser) -> None         its arguments; imports nothing heavy
    def execute(arguments: Namespace, invocation: Invocation) -> int

`execute` gives the exit code, and raises WindlassError for what is wrong; it never exits. It
writes data to `invocation.out` and progress to `invocation.err`, and imports what it needs itself,
so that completion and help stay fast.
"""
