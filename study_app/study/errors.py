"""What can go wrong in the study's store; each message says what to do next.

StoreError
├── CannotOpen          newer schema, corrupt, not ours, not writable: nothing was touched
├── NotSaved            busy too long, disk full: nothing was changed, try again
├── UnknownParticipant  no participant has this id
└── Refused             contradicts the study, or the participant's state
    └── HasWithdrawn    somebody who withdrew comes again
"""


class StoreError(Exception):
    """Base of everything below."""


class CannotOpen(StoreError):
    """The file is not a database this version can use."""


class NotSaved(StoreError):
    """Nothing was changed; the same call may be repeated."""


class UnknownParticipant(StoreError):
    """No participant has this id."""


class Refused(StoreError):
    """The call contradicts the study's definition or the participant's state."""


class HasWithdrawn(Refused):
    """Who comes withdrew before: they do not start again, and nothing is recorded of their coming."""
