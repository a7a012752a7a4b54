"""RabbitMQ -> Postgres: batches of callbacks, applied once each, and of changes of the CRM, one transaction a batch.

The way of a batch: `batches` (messages off the queue) -> `reading` (events out of bytes) -> `settle` (tries until the
batch is settled, finds the bad event) -> `transaction` (what one transaction does) -> ack. That of changes of the CRM:
`batches` -> `crm_reading` -> `crm_settle` -> ack.
"""
