"""HTTP -> RabbitMQ: takes Vibes' callbacks, and answers 2xx once the broker has confirmed them."""
