#!/usr/bin/env bash
# Makes this checkout ready to run: .venv with the locked dependencies; RabbitMQ, wrk and Prometheus from the system's
# packages.
# Run it as often as you like: what is done already is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=.venv
stamp=$venv/.vibes-pipeline-setup

say() { printf '%s\n' "setup: $*" >&2; }

# A name on the PATH proves little: a version manager's shim may lead nowhere, Debian ships venv separately.
find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    say "no Python 3.11 or later with the venv module was found (tried python3.13, 3.12, 3.11, python3)."
    say "Install one, for example: apt-get install python3 python3-venv"
    return 1
}

# What the installation depends on; the path too, because scripts in a virtual environment name it.
fingerprint() { { pwd; cat requirements-dev.lock pyproject.toml deploy/local/setup.sh; } | cksum; }

install_python_packages() {
    [[ -x $venv/bin/python && -f $stamp && $(cat "$stamp") == "$(fingerprint)" ]] && return
    local python
    python=$(find_python)
    say "installing the locked dependencies into $venv with $python"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --editable .
    fingerprint >"$stamp"
}

have_rabbitmq() {
    [[ -n ${AMQP_URL:-} ]] || PATH=$PATH:/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin \
        command -v rabbitmq-server >/dev/null
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# Installs packages of the system, where that is permitted.
apt_install() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null || return 1
    say "installing $* with apt-get"
    # The runlevel keeps a package from starting a service for the whole system: ours are private.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -ec \
        'apt-get update -qq; apt-get install -qq -y --no-install-recommends "$@"' apt-get "$@" >/dev/null
}

install_rabbitmq() {
    have_rabbitmq && return
    apt_install rabbitmq-server && have_rabbitmq && return
    say "RabbitMQ is missing and could not be installed from here. Do one of:"
    say "  - install it with the system's package manager:  apt-get install rabbitmq-server"
    say "  - set AMQP_URL to a broker of yours:             AMQP_URL=amqp://user:password@host:5672/"
    say "  - use the services of docker compose:            docker compose up"
    return 1
}

# The load generator of the benchmarks; everything else works without it.
install_wrk() {
    command -v wrk >/dev/null && return
    apt_install wrk && command -v wrk >/dev/null && return
    say "wrk is missing and could not be installed from here; \`make bench\` will not work without it."
    say "Install it with the system's package manager, for example: apt-get install wrk"
}

# What checks the rules of deploy/prometheus and scrapes the pipeline of a test; everything else works without it.
install_prometheus() {
    command -v prometheus >/dev/null && command -v promtool >/dev/null && return
    apt_install prometheus && command -v promtool >/dev/null && return
    say "Prometheus is missing and could not be installed from here; the tests of alert rules and dashboards are skipped."
    say "Install it with the system's package manager, for example: apt-get install prometheus"
}

install_rabbitmq
install_wrk
install_prometheus
install_python_packages
