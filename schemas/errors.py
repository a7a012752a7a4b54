"""The two error families of the pipeline.

`MessageError`: the message itself is bad. Trying again unchanged cannot help: it is set aside, alone.
`ServiceError`: a service the pipeline needs is bad (down, slow, full, read-only). The message is innocent:
it is kept and tried again.
"""


class MessageError(Exception):
    """A message that can never be applied as it is.

    `reason` is a short, stable, low-cardinality word that may be used as a metric label and is stored with the
    message (`dead_letters.reason`). The text may say more, but never quotes the message: it may hold personal data.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LaterVersionError(MessageError):
    """A message that a later release wrote. Nothing is wrong with it: it is to be left to those who can read it."""


class ServiceError(Exception):
    """A service the pipeline needs cannot do its part now; the work is kept and tried again."""


class ConfigurationError(Exception):
    """The configuration is wrong; the text names the setting, what is wrong with it, and an example."""
