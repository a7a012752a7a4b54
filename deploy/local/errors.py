"""What can go wrong with the local services."""


class ServiceError(Exception):
    """A local service could not be started, stopped or asked; the message says why and what to do."""


class NotOwnedError(ServiceError):
    """The operation needs a service that we started, but this one was given to us by its URL."""

    def __init__(self, operation: str, variable: str) -> None:
        super().__init__(
            f"{operation} needs a service started here, but {variable} is set and names one that is not ours: "
            f"unset {variable} to start a private one"
        )
