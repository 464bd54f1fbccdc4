"""Where in a shell script the next character stands: the lexical state of `sh` and `bash`.

Follows POSIX 2.2 (quoting), 2.3 (tokens), 2.7.4 (here-documents) and bash's `$'…'`, `[[ … ]]` and
arithmetic. It exists to choose how a variable is written at a place (see `shell_text`); a misjudged
place costs the value's shape, never safety, since only variables' names are written there.
"""

from __future__ import annotations

from typing import Final

from windlass_runner.expressions.shell_frames import Frame, FrameKind, Heredoc

_SEPARATORS: Final = frozenset(";&|\n")
_BLANKS: Final = frozenset(" \t")


class ShellState:
    """Reads a script from left to right; `feed` text, and look at `frame` between."""

    def __init__(self) -> None:
        self.stack: list[Frame] = [Frame("code")]
        self.pending: list[Heredoc] = []
        self.heredocs: list[Heredoc] = []
        """All here-documents whose body has begun."""
        self.is_escaped = False
        self.last = ""
        """The character before, where it may begin something with the next (`$`, `<`), else empty."""
        self.compares_numbers = False
        """Whether a variable stands beside `-eq` or its like in `[[ ]]`: bash evaluates it there."""
        self._count = 0

    @property
    def frame(self) -> Frame:
        """The innermost level."""
        return self.stack[-1]

    def feed(self, character: str) -> None:
        """Read one character."""
        self._count += 1
        if self.is_escaped:
            self.is_escaped = False
            self._escaped(character)
            return
        match self.frame.kind:
            case "code":
                self._code(character)
            case "single" | "ansi":
                self._quoted(character)
            case "double":
                self._double(character)
            case "comment":
                if character == "\n":
                    self.stack.pop()
                    self._code(character)
            case "heredoc":
                self._heredoc(character)
            case "braces":
                self._braces(character)
            case "arithmetic":
                self._arithmetic(character)
            case "delimiter":
                self._delimiter(character)

    def note_variable(self) -> None:
        """A variable was written here; it is part of the current word, or of the here-document."""
        self._count += 1
        self.last = ""
        for frame in reversed(self.stack):
            if frame.heredoc:
                frame.line += "$"
                frame.heredoc.holds_variable = True
                return
            if frame.kind == "code":
                self.compares_numbers |= frame.command.add_variable()

    def finish(self) -> None:
        """The script ends here."""
        for frame in self.stack:
            if frame.heredoc:
                frame.heredoc.body_end = self._count

    def open_heredocs(self) -> list[Heredoc]:
        """The here-documents within which the reading stands, outermost first."""
        return [frame.heredoc for frame in self.stack if frame.heredoc]

    def commands(self) -> list[list[str]]:
        """The simple commands that are being read, outermost first; the current word last in each."""
        return [frame.command.texts() for frame in self.stack if frame.kind == "code"]

    def is_within(self, *kinds: FrameKind) -> bool:
        """Whether any level is one of these."""
        return any(frame.kind in kinds for frame in self.stack)

    def _push(self, kind: FrameKind, closer: str = "") -> None:
        self.stack.append(Frame(kind, closer=closer))
        self.last = ""

    def _add(self, character: str) -> None:
        for frame in reversed(self.stack):
            if frame.heredoc:
                return
            if frame.kind == "code":
                frame.command.add(character)
                return

    def _escaped(self, character: str) -> None:
        self.last = ""
        if self.frame.kind == "delimiter" and self.frame.heredoc:
            self.frame.heredoc.delimiter += character
            self.frame.heredoc.raw += "\\" + character
        elif self.frame.kind == "heredoc":
            self.frame.line += "\\" + character
        elif character != "\n":
            self._add(character)

    def _code(self, character: str) -> None:
        frame = self.frame
        last, self.last = self.last, ""
        if last in ("$(", "((") and character == "(":
            self.stack[-1] = Frame("arithmetic", closer=")", depth=1)
        elif character == "\\":
            self.is_escaped = True
        elif character == "'":
            self._add("")
            self._push("ansi" if last == "$" else "single", "'")
        elif character == '"':
            self._add("")
            self._push("double", '"')
        elif character == "`":
            self._backtick()
        elif character == "#" and not frame.command.word.is_begun:
            self._push("comment")
        elif last == "$" and character in "({[":
            self._expansion(character)
        elif last == "<" and character == "<" and not frame.command.is_test:
            self._begin_heredoc()
        elif character in "()":
            self._bracket(character)
        elif character in _SEPARATORS:
            self._end_command(character)
        elif character in _BLANKS or character in "<>":
            self.compares_numbers |= frame.command.end_word()
            self.last = character if character == "<" else ""
        else:
            self.last = "$" if character == "$" != last else ""
            self._add(character)

    def _end_command(self, character: str) -> None:
        self.compares_numbers |= self.frame.command.end()
        if character == "\n" and self.pending:
            self._begin_body()

    def _begin_body(self) -> None:
        heredoc = self.pending.pop(0)
        heredoc.body_start = self._count
        self.heredocs.append(heredoc)
        self._push("heredoc")
        self.frame.heredoc = heredoc

    def _backtick(self) -> None:
        if self.frame.kind == "code" and self.frame.closer == "`":
            self.stack.pop()
            return
        self._add("")
        self._push("code", "`")

    def _expansion(self, character: str) -> None:
        if character == "{":
            self._push("braces", "}")
        elif character == "[":
            self._push("arithmetic", "]")
        else:
            self._push("code", ")")
            self.last = "$("

    def _bracket(self, character: str) -> None:
        frame, command = self.frame, self.frame.command
        if character == "(":
            may_begin = not command.words or command.words[0].text == "for"
            is_arithmetic = may_begin and not command.word.is_begun
            self.compares_numbers |= command.end_word()
            self._push("code", ")")
            self.last = "((" if is_arithmetic else ""
            return
        self.compares_numbers |= command.end()
        if frame.closer == ")" and not command.open_cases:
            self.stack.pop()

    def _quoted(self, character: str) -> None:
        if character == "'":
            self.stack.pop()
        elif character == "\\" and self.frame.kind == "ansi":
            self.is_escaped = True
        else:
            self._add(character)

    def _double(self, character: str) -> None:
        last, self.last = self.last, ""
        if character == "\\":
            self.is_escaped = True
        elif character == '"':
            self.stack.pop()
        elif character == "`":
            self._push("code", "`")
        elif last == "$" and character in "({[":
            self._expansion(character)
        else:
            self.last = "$" if character == "$" != last else ""
            self._add(character)

    def _braces(self, character: str) -> None:
        if character == "}":
            self.last = ""
            self.stack.pop()
        elif character == "'" and not self._is_in_double():
            self._push("single", "'")
        elif character == '"':
            self._push("double", '"')
        else:
            self._nested(character)

    def _arithmetic(self, character: str) -> None:
        frame = self.frame
        if character == frame.closer and frame.depth == 0:
            self.last = ""
            self.stack.pop()
            return
        if frame.closer == ")" and character in "()":
            frame.depth += 1 if character == "(" and self.last != "$" else 0
            frame.depth -= 1 if character == ")" else 0
        self._nested(character)

    def _nested(self, character: str) -> None:
        last, self.last = self.last, ""
        if character == "\\":
            self.is_escaped = True
        elif character == "`":
            self._backtick()
        elif last == "$" and character in "({":
            self._expansion(character)
        else:
            self.last = "$" if character == "$" != last else ""

    def _is_in_double(self) -> bool:
        outer = self.stack[-2].kind if len(self.stack) > 1 else "code"
        return outer in ("double", "heredoc")

    def _begin_heredoc(self) -> None:
        words = tuple(word.text for word in self.frame.command.words)
        self._push("delimiter")
        self.frame.heredoc = Heredoc(command=words, word_start=self._count)

    def _delimiter(self, character: str) -> None:
        heredoc = self.frame.heredoc
        assert heredoc is not None
        quote = self.frame.closer
        if not quote and not heredoc.raw and character == "<":
            self.stack.pop()  # `<<<` is a here-string: an ordinary word follows
        elif not quote and not heredoc.raw and character in "- \t":
            heredoc.strips_tabs = heredoc.strips_tabs or character == "-"
        elif quote:
            heredoc.raw += character
            if character == quote:
                self.frame.closer = ""
            else:
                heredoc.delimiter += character
        elif character == "\\":
            heredoc.is_quoted = True
            self.is_escaped = True
        elif character in "'\"":
            heredoc.is_quoted = True
            heredoc.raw += character
            self.frame.closer = character
        elif character in " \t\n;&|<>()":
            self.stack.pop()
            heredoc.word_end = self._count - 1
            self.pending.append(heredoc)
            self._code(character)
        else:
            heredoc.raw += character
            heredoc.delimiter += character

    def _heredoc(self, character: str) -> None:
        frame = self.frame
        heredoc = frame.heredoc
        assert heredoc is not None
        if character == "\n":
            line = frame.line.lstrip("\t") if heredoc.strips_tabs else frame.line
            frame.line = ""
            self.last = ""
            if line == heredoc.delimiter:
                self._end_body(heredoc)
            return
        if heredoc.is_quoted:
            frame.line += character
            return
        last, self.last = self.last, ""
        if character == "\\":
            self.is_escaped = True
            return
        frame.line += character
        if character == "`":
            self._push("code", "`")
        elif last == "$" and character in "({[":
            self._expansion(character)
        else:
            self.last = "$" if character == "$" != last else ""

    def _end_body(self, heredoc: Heredoc) -> None:
        self.stack.pop()
        heredoc.body_end = self._count
        if self.pending:
            self._begin_body()
