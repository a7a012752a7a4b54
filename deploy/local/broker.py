"""A RabbitMQ broker as its users see it: the one AMQP_URL names, which is not ours to stop."""

import base64
import http.client
import json
from urllib.parse import quote, unquote, urlsplit

from deploy.local.errors import NotOwnedError, ServiceError

_TIMEOUT_SECONDS = 10.0


class Broker:
    """A broker that is not ours: it can be used, but not stopped.

    With the address of its management API (``http://user:password@host:15672``) virtual hosts can be made on it.
    """

    def __init__(self, amqp_url: str, management_url: str | None = None) -> None:
        self._amqp_url = amqp_url
        self._management_url = management_url

    @property
    def amqp_url(self) -> str:
        """``amqp://`` address, of the virtual host to use."""
        return self._amqp_url

    @property
    def management_url(self) -> str | None:
        """Address of the management API and console, with user and password; None if there is none."""
        return self._management_url

    def create_vhost(self, name: str) -> str:
        """Create a virtual host, empty and open to this broker's user; returns its ``amqp://`` address. About 15 ms."""
        self._manage("PUT", f"/api/vhosts/{quote(name, safe='')}")
        return urlsplit(self.amqp_url)._replace(path=f"/{quote(name, safe='')}").geturl()

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with everything in it; ServiceError if there is none of this name."""
        self._manage("DELETE", f"/api/vhosts/{quote(name, safe='')}")

    def start(self) -> None:
        """Start the broker again after a stop or a kill, on the same data and ports."""
        raise NotOwnedError("starting RabbitMQ", "AMQP_URL")

    def stop(self) -> None:
        """Stop the broker gracefully; durable data is kept."""
        raise NotOwnedError("stopping RabbitMQ", "AMQP_URL")

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        raise NotOwnedError("killing RabbitMQ", "AMQP_URL")

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` against the broker and return what it prints."""
        raise NotOwnedError(f"rabbitmqctl {arguments[0]}", "AMQP_URL")

    def block_publishers(self) -> None:
        """Raise the memory alarm: the broker stops reading from every connection that publishes."""
        raise NotOwnedError("blocking publishers", "AMQP_URL")

    def unblock_publishers(self) -> None:
        """Clear the memory alarm again."""
        raise NotOwnedError("unblocking publishers", "AMQP_URL")

    def queue_depths(self, vhost: str = "/") -> dict[str, int]:
        """Messages, ready or delivered but not acknowledged, in each queue of a virtual host."""
        raise NotOwnedError(f"listing the queues of {vhost}", "AMQP_URL")

    def _manage(self, method: str, path: str) -> None:
        if self.management_url is None:
            raise ServiceError("virtual hosts are made through the management API, and its address is not known")
        address = urlsplit(self.management_url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
        login = f"{unquote(address.username or '')}:{unquote(address.password or '')}"
        try:
            connection.request(
                method, path, headers={"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
            )
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            raise ServiceError(
                f"the management API at {address.hostname}:{address.port} does not answer: {error}"
            ) from error
        finally:
            connection.close()
        if response.status >= 300:
            reason = json.loads(body or b"{}").get("reason", "")
            raise ServiceError(f"the management API refused {method} {path} with {response.status}: {reason}")
