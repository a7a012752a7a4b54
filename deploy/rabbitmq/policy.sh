#!/bin/sh
# The one policy that RabbitMQ 4 needs: it drops what it has delivered 20 times from a queue that sets no limit of its own,
# and the queue of what was given up elsewhere is the last place a callback is in. Run it where rabbitmqctl works, once:
#
#     deploy/rabbitmq/policy.sh
#     docker compose exec --no-TTY rabbitmq sh < deploy/rabbitmq/policy.sh
#
# PREFIX        as VIBES_PIPELINE_QUEUE_PREFIX. Default: vibes
# VHOST         the virtual host. Default: /
set -eu

prefix=${PREFIX:-vibes}
name=$(printf '%s' "$prefix" | sed 's/\./\\./g')

# A large limit, as none at all cannot be had by a policy in every release.
rabbitmqctl --quiet set_policy --vhost "${VHOST:-/}" --apply-to queues "$prefix-dead-letters" \
    "^$name\\.dead-letters\$" '{"delivery-limit": 1000000000}'
