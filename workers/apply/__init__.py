"""RabbitMQ -> Postgres: batches of callbacks, applied once each, one transaction a batch.

The way of a batch: `batches` (messages off the queue) -> `reading` (events out of bytes) -> `settle` (tries until the
batch is settled, finds the bad event) -> `transaction` (what one transaction does) -> ack.
"""
