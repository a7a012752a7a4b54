"""The broker message of the rivals: one callback, persistent."""

import aio_pika

COMPANY_HEADER = "company_key"
CONTENT_TYPE = "application/json"


def message(body: bytes, company_key: str) -> aio_pika.Message:
    """Return what carries a callback, as the FastStream rival's ingest sends it and its apply expects it."""
    return aio_pika.Message(
        body,
        headers={COMPANY_HEADER: company_key},
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
