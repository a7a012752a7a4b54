"""What to do about an error of RabbitMQ, in a few words."""

import socket

from aiormq import exceptions as amqp

_NOBODY_THERE = (ConnectionRefusedError, socket.gaierror, TimeoutError)

_BROKER: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (
        (amqp.AuthenticationError, amqp.ProbableAuthenticationError),
        "check the user and the password in AMQP_URL",
    ),
    (
        amqp.ConnectionNotAllowed,
        "correct the virtual host in AMQP_URL, or make it and give the user access (rabbitmqctl set_permissions)",
    ),
    (
        amqp.ChannelAccessRefused,
        "give the user of AMQP_URL what this process needs: deploy/rabbitmq/users.sh makes such users "
        "(docs/security.md)",
    ),
    (
        amqp.ChannelPreconditionFailed,
        "it was made with other properties, by another release or by hand: delete it once it is empty, or choose "
        "another VIBES_PIPELINE_QUEUE_PREFIX",
    ),
    (_NOBODY_THERE, "see whether it runs, and whether AMQP_URL leads to it"),
)


def broker_remedy(error: BaseException) -> str | None:
    """Return what to do about an error of RabbitMQ, if anything is known."""
    for each in (error, error.__cause__):
        for kind, remedy in _BROKER:
            if isinstance(each, kind):
                return remedy
    return None
