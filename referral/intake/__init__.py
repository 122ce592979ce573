"""The one door for answer sheets, and everything that follows from one.

A sheet is recorded and scored; where its level asks for it the same transaction opens the case (and the crisis
episode), drafts plan and referral, and sets tasks, trail and outbox. All of it commits, or none. Only slow or
outside work is left to the worker.

* ``sheets``: one sheet and many, ``submit`` and ``submit_many``;
* ``loop``: what a result or a sighting asks for, top to bottom;
* ``talks``: the safety talk, a sheet that a case asks for;
* ``sightings``: critical answers that ring before any sheet is stored;
* ``workbooks``: ``stage``, ``commit`` and the pieces in which a workbook is written.
"""

from referral.intake.sheets import UNREADABLE, Submitted, submit, submit_many
from referral.intake.talks import hold_safety_talk
from referral.intake.workbooks import WRITE_TOPIC, commit, stage, write_piece

__all__ = [
    "UNREADABLE",
    "WRITE_TOPIC",
    "Submitted",
    "commit",
    "hold_safety_talk",
    "stage",
    "submit",
    "submit_many",
    "write_piece",
]
