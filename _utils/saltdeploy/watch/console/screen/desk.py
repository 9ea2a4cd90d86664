"""What the person at the screen looks at, types and means by a key: no terminal, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from saltdeploy.lib.errors import BadArguments
from saltdeploy.watch.console.screen import keys
from saltdeploy.watch.console.screen.log import Sieve
from saltdeploy.watch.notes import QuestionNote

HOSTS, LOG = "hosts", "log"
FILTER, ABORT, ANSWER = "filter", "abort", "answer"
_LONGEST = 500  # characters that can be typed
_PAGE = 10  # rows
_FAR = 1 << 30


@dataclass(frozen=True)
class Telling:
    """What the deploy is to be told: ``abort``, with a reason; or ``answer``, with a choice for the question of this key."""

    what: str
    text: str
    question: str = ""


@dataclass
class Desk:
    """See the module.

    Attributes:
        acts: the deploy can be told something from here.
        left: the person wants to look no more.
        pane: which of the two lists the arrow keys move.
        host: the name of the chosen host.
        whole: the chosen host is shown with all that is known of it.
        back: how many records the log is scrolled back; 0 shows the newest.
        sieve: what of hosts and log is shown.
        typing: what is typed at the moment: a filter, the reason of an abort, or whether an answer is meant; "" for nothing.
        typed: what was typed so far; for an answer, the choice.
        asked: the key of the question that is answered.
        said: what the last key has led to, for the last line.
    """

    acts: bool = True
    left: bool = False
    pane: str = HOSTS
    host: str = ""
    whole: bool = False
    back: int = 0
    sieve: Sieve = field(default_factory=Sieve)
    typing: str = ""
    typed: str = ""
    asked: str = ""
    said: str = ""

    def press(self, key: str, names: Sequence[str], question: QuestionNote | None) -> Telling | None:
        """Take in a key.

        Args:
            key: a character, or a name of :mod:`saltdeploy.watch.console.screen.keys`.
            names: the hosts in the order in which they are shown.
            question: the one that is open.

        Returns:
            What the deploy is to be told.
        """
        self.said = ""
        if self.typing:
            return self._type(key, question)
        if self.acts and question is not None and key.isdigit() and 0 < int(key) <= len(question.choices):
            self.typing, self.typed, self.asked = ANSWER, question.choices[int(key) - 1], question.key
        elif key == "q":
            self.left = True
        elif key == "a" and self.acts:
            self.typing, self.typed = ABORT, ""
        elif key == "/":
            self.typing, self.typed = FILTER, self.sieve.text
        elif key == "l":
            self.sieve = self.sieve.next_level()
            self.back = 0
        elif key == keys.TAB and not self.whole:
            self.pane = LOG if self.pane == HOSTS else HOSTS
        elif key in (keys.ENTER, keys.ESCAPE):
            self._open(names, opens=key == keys.ENTER and not self.whole)
        else:
            self._move(key, names)
        return None

    def _open(self, names: Sequence[str], *, opens: bool) -> None:
        if opens and self.host not in names:
            self.host = next(iter(names), "")
        self.whole = opens and bool(self.host)

    # -- lists ------------------------------------------------------------------------------------------

    def _move(self, key: str, names: Sequence[str]) -> None:
        step = _STEPS.get(key, 0)
        if not step:
            return
        if self.pane == LOG and not self.whole:
            self.back = 0 if step == _FAR else max(0, self.back - step)
            return
        if not names:
            return
        place = names.index(self.host) + step if self.host in names else 0
        self.host = names[min(max(0, place), len(names) - 1)]

    # -- the last line ----------------------------------------------------------------------------------

    def _type(self, key: str, question: QuestionNote | None) -> Telling | None:
        if key == keys.ENTER:
            return self._entered(question)
        if key == keys.ESCAPE:
            self.typing = self.typed = ""
        elif self.typing == ANSWER:
            self.said = ""  # one of the two above is meant
        elif key == keys.BACKSPACE:
            self.typed = self.typed[:-1]
        elif len(key) == 1 and len(self.typed) < _LONGEST:
            self.typed += key
        return None

    def _entered(self, question: QuestionNote | None) -> Telling | None:
        what, text, self.typing, self.typed = self.typing, self.typed, "", ""
        if what == FILTER:
            self._filter(text)
            return None
        if what == ABORT:
            return Telling(ABORT, text)
        if question is None or question.key != self.asked:  # a new one may have the same choices
            self.said = "That question is not open any more"
            return None
        return Telling(ANSWER, text, self.asked)

    def _filter(self, text: str) -> None:
        try:
            self.sieve = Sieve(text, self.sieve.level)
        except BadArguments as error:
            self.said = error.cause
            return
        self.back = 0


_STEPS = {
    keys.UP: -1,
    "k": -1,
    keys.DOWN: 1,
    "j": 1,
    keys.PAGE_UP: -_PAGE,
    keys.PAGE_DOWN: _PAGE,
    keys.HOME: -_FAR,
    keys.END: _FAR,
}
