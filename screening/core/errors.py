"""What a rule of ours answers when it says no.

A message is an English catalogue id with ``{placeholders}``; the edge translates it. Neither message nor
parameters ever hold a person's name, number, answer or level.
"""

from __future__ import annotations


class DomainError(Exception):
    """A rule said no. ``code`` is stable and machine readable; ``message`` is a catalogue id."""

    code = "refused"

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.params = params

    def __str__(self) -> str:
        return self.message.format(**self.params) if self.params else self.message


class NotFound(DomainError):
    """Absent, or outside the actor's scope: the two are never told apart."""

    code = "not-found"

    def __init__(self, message: str = "Not found.", **params: object) -> None:
        super().__init__(message, **params)


class NotPermitted(DomainError):
    """This function is not for this role."""

    code = "not-permitted"

    def __init__(self, message: str = "Your role does not include this.", **params: object) -> None:
        super().__init__(message, **params)


class PolicyViolation(DomainError):
    """Right person, wrong moment."""

    code = "policy"


class InvalidTransition(PolicyViolation):
    """The thing is not in a state from which this step leads."""

    code = "transition"


class Conflict(DomainError):
    """Somebody else was faster, or the same key was used for something else."""

    code = "conflict"


class InvalidInput(DomainError):
    """What was sent cannot be understood; says where and what to do."""

    code = "invalid"


class Unavailable(DomainError):
    """Cannot be done at this moment for a technical reason; trying again may help."""

    code = "unavailable"
