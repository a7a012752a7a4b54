#!/bin/sh
# The secrets of an installation on Kubernetes, printed as manifests. Run it as often as you like:
#
#     deploy/kubernetes/secrets.sh DIRECTORY | kubectl apply --server-side --filename -
#
# DIRECTORY holds the passwords, one file each; those that are missing are made. Delete a file and run it again to change
# a password (docs/kubernetes.md). Files in DIRECTORY/vibes-api are passwords of the Vibes API, named as the companies file
# names them: api_password_file = "/run/secrets/vibes-api/NAME". Keep the directory as you keep passwords.
#
# secret                holds
# broker-...            user name, password and AMQP URL of a process; rabbitmq-users.yaml gives the users their rights
# database-...          user name, password and database URL of a process; postgres.yaml makes the logins
# vibes-api             those files
set -eu

directory=${1:?the directory for the passwords; see the head of this file}
namespace=vibes-pipeline
umask 077
mkdir -p "$directory/vibes-api"

# the password in a file, which is made if it is not there
password() {
    [ -s "$directory/$1" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$directory/$1"
    cat "$directory/$1"
}

# name, type, a label that its reader asks for, keys and values
secret() {
    cat << END
---
apiVersion: v1
kind: Secret
metadata:
  name: $1
  namespace: $namespace
  labels:
    app.kubernetes.io/part-of: vibes-pipeline
    $3: "true"
type: $2
stringData:
$4
END
}

for name in declare ingest apply person-sync operator keda; do
    password=$(password "broker-$name")
    secret "broker-$name" Opaque rabbitmq.com/topology-operator "  username: vibes-$name
  password: $password
  amqp-url: amqps://vibes-$name:$password@rabbitmq.$namespace.svc:5671"
done
# KEDA wants to be told that apart from the URL. It belongs to the last of them.
echo '  tls: enable'

database() {
    password=$(password "database-$1")
    secret "database-$1" kubernetes.io/basic-auth cnpg.io/reload "  username: $2
  password: $password
  database-url: postgresql://$2:$password@postgres-rw.$namespace.svc:5432/vibes"
}
database migrate vibes_migrate
database apply vibes_apply
database person-sync vibes_person_sync
database operator vibes_cli

cat << END
---
apiVersion: v1
kind: Secret
metadata:
  name: vibes-api
  namespace: $namespace
  labels:
    app.kubernetes.io/part-of: vibes-pipeline
type: Opaque
data:
END
found=
for file in "$directory"/vibes-api/*; do
    [ -f "$file" ] || continue
    found=yes
    printf '  %s: %s\n' "${file##*/}" "$(base64 < "$file" | tr -d '\n')"
done
[ -n "$found" ] || echo '  {}'
