"""Durable work: 2. RabbitMQ -> Postgres (`apply`), 3. outbox -> Person API (`person_sync`)."""
