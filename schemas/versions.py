"""The version that each broker message tells, so that another release knows whether it can read it.

A release reads the versions of the release before it. One writes a new version only when the release before it reads it
already; whoever meets a later one all the same is too old (docs/upgrades.md).
"""

from schemas.errors import LaterVersionError, MessageError


def check_version(told: object, ours: int) -> None:
    """Raise MessageError `unknown_version` for another version than ours: LaterVersionError if a later release's."""
    version = told if isinstance(told, int) and not isinstance(told, bool) else None
    if version == ours:
        return
    # A number and nothing else is quoted: what is no message of ours may hold anything.
    shown = type(told).__name__ if version is None else version
    kind = LaterVersionError if version is not None and version > ours else MessageError
    raise kind("unknown_version", f"this release reads version {ours}, the message has {shown}")
