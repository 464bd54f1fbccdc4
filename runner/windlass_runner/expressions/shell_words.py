"""The words of a shell command as they are read (see `shell_state`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_NUMBER_TESTS: Final = frozenset(["-eq", "-ne", "-lt", "-le", "-gt", "-ge"])
_RESERVED: Final = frozenset(["if", "then", "else", "elif", "do", "while", "until", "!", "time", "{"])


@dataclass(slots=True)
class Word:
    """One word of a command as far as it was read, without its quotes."""

    text: str = ""
    is_begun: bool = False
    holds_variable: bool = False


@dataclass(slots=True)
class SimpleCommand:
    """The commands of one level, one after the other: the words of the one that is being read, `word` last.

    Methods that give a truth tell whether bash compares numbers beside a variable (by `-eq` and its like in
    `[[ ]]`): it would evaluate it there.
    """

    words: list[Word] = field(default_factory=list)
    word: Word = field(default_factory=Word)
    open_cases: int = 0
    is_test: bool = False

    def texts(self) -> list[str]:
        """All of its words, the current one last."""
        return [word.text for word in (*self.words, self.word)]

    def add(self, text: str) -> None:
        """More of the current word: nothing where only its quotes begin."""
        self.word.is_begun = True
        self.word.text += text

    def add_variable(self) -> bool:
        """A variable is part of the current word."""
        self.word.is_begun = self.word.holds_variable = True
        return self._compares_a_variable()

    def end_word(self) -> bool:
        """The current word ends here, if one has begun."""
        if not self.word.is_begun:
            return False
        word, self.word = self.word, Word()
        if word.text in _RESERVED and not self.words:
            return False
        is_name = not self.words
        self.words.append(word)
        compares = self._compares_a_variable()
        if word.text == "case" and is_name:
            self.open_cases += 1
        elif word.text == "esac" and self.open_cases:
            self.open_cases -= 1
        elif word.text == "[[" and is_name:
            self.is_test = True
        elif word.text == "]]":
            self.is_test = False
        return compares

    def end(self) -> bool:
        """The command ends here, and another one may begin."""
        compares = self.end_word()
        self.words = []
        return compares

    def _compares_a_variable(self) -> bool:
        words = (*self.words, self.word)
        return self.is_test and any(
            operator.text in _NUMBER_TESTS and any(word.holds_variable for word in around)
            for operator, *around in zip(words[1:], words, words[2:], strict=False)
        )
