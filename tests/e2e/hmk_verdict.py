# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a verifier answers: a rule that failed, and the five words of docs/spec/proof.md."""

WORDS = ("authorized", "intact", "timely", "coherent", "witnessed")


class Failed(Exception):
    """A rule of proof.md that does not hold: what was looked at, what it must be, what it is."""

    def __init__(self, rule, what, want, got, missing=False):
        super().__init__(rule, what)
        self.rule, self.what, self.missing = rule, what, missing
        self.want, self.got = want, got

    def __str__(self):
        return f"rule {self.rule}: {self.what}: must be {show(self.want)}, is {show(self.got)}"


def show(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def must(rule, what, holds, want, got):
    if not holds:
        raise Failed(rule, what, want, got)


def equal(rule, what, want, got):
    must(rule, what, want == got, want, got)


def missing(rule, what, want):
    return Failed(rule, what, want, "not there", missing=True)


class Verdict:
    def __init__(self):
        self.words = dict.fromkeys(WORDS, "unknown")
        self.revoked_later = False
        self.failures, self.notes, self.malformed = [], [], None

    @property
    def proven(self):
        return (self.malformed is None and not self.failures and
                self.words["authorized"] == self.words["intact"] == "yes")

    @property
    def first(self):
        """The failure of the lowest rule, the first of those."""
        return min(self.failures, key=lambda failure: failure.rule, default=None)

    @property
    def exit_code(self):
        return 6 if self.malformed is not None else 0 if self.proven else 1

    def __str__(self):
        if self.malformed is not None:
            return f"malformed: {self.malformed}"
        lines = [("proven: " if self.proven else "not proven: ") +
                 ", ".join(f"{word} {self.words[word]}" for word in WORDS) +
                 (", revoked later" if self.revoked_later else "")]
        lines += [str(self.first)] if self.failures else []
        return "\n".join(lines + self.notes)
