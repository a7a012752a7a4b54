"""`vibes-pipeline status`: what Postgres, RabbitMQ and the processes tell, once or again and again."""
