"""What the pipeline is compared with: bounds made of its own libraries, and the same pipeline built with FastStream.

Each module is a process: `python -m benchmarks.rivals.NAME --port PORT`. DATABASE_URL and AMQP_URL name the services,
RIVAL_QUEUE the durable quorum queue, which a rival declares itself. All of them answer `GET /readyz` with 200 once
they work. `benchmarks.rivals.start` starts them.
"""
