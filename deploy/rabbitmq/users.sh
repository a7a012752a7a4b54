#!/bin/sh
# RabbitMQ users with the least rights, one for each process. Run it where rabbitmqctl works, as often as you like:
#
#     deploy/rabbitmq/users.sh DIRECTORY
#
# DIRECTORY holds the passwords, one file a user, named after it; those that are missing are made. Variables:
#
# PREFIX        as VIBES_PIPELINE_QUEUE_PREFIX. Default: vibes
# VHOST         the virtual host, which has to exist. Default: /
#
# user              may
# PREFIX-declare    make the exchanges and queues (vibes-pipeline declare); no process runs as this one
# PREFIX-ingest     publish callbacks and changes of the CRM; read nothing
# PREFIX-apply      read what ingest published and what was delivered too often, announce persons that are due
# PREFIX-person-sync  read and announce persons that are due
# PREFIX-operator   publish what is imported, replayed or asked for by a command; ask how long the queues are
set -eu

directory=${1:?the directory for the passwords; see the head of this file}
prefix=${PREFIX:-vibes}
vhost=${VHOST:-/}
name=$(printf '%s' "$prefix" | sed 's/\./\\./g')
umask 077
mkdir -p "$directory"

# user, what it may configure, write and read: regular expressions over the names of exchanges and queues
user() {
    file=$directory/$1
    [ -s "$file" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$file"
    # The password goes in by standard input: whoever may list processes would see an argument.
    rabbitmqctl --quiet add_user "$1" < "$file" 2> /dev/null || rabbitmqctl --quiet change_password "$1" < "$file"
    rabbitmqctl --quiet set_permissions --vhost "$vhost" "$1" "$2" "$3" "$4"
}

nothing='^$'
user "$prefix-declare" "^$name\\." "^$name\\." "^$name\\."
user "$prefix-ingest" "$nothing" "^$name\\.(callbacks|crm)\$" "$nothing"
user "$prefix-apply" "$nothing" "^$name\\.person-sync\$" "^$name\\.(apply\\.[0-9]+|crm|dead-letters)\$"
user "$prefix-person-sync" "$nothing" "^$name\\.person-sync\$" "^$name\\.person-sync(-bulk)?\$"
user "$prefix-operator" "$nothing" "^$name\\.(callbacks|crm|person-sync)\$" "$nothing"
