"""Every metric of every process, in one file. Labels are few and bounded: never a person's id, number or name.

docs/metrics.md lists them; its tables are made from this file: `python -m tests.support.metrics_tables` prints them.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Literal, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from runtime.durations import Durations

# They double the number of series, and nobody asks for them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has no type for it
REGISTRY = CollectorRegistry()
"""All metrics there are; /metrics of a part shows those it has to do with."""

Part: TypeAlias = Literal["ingest", "apply", "person-sync"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

# ingest: HTTP -> RabbitMQ

INGEST_ANSWERS = Counter(
    "vibes_ingest_answers_total",
    "Answers of the callback listener, by company (empty when unknown), status and reason.",
    ["company_key", "status", "reason"],
    registry=REGISTRY,
)
INGEST_ANSWER_SECONDS = Durations(
    "vibes_ingest_answer_seconds", "From request to answer.", buckets=_SECONDS, registry=REGISTRY
)
INGEST_IN_FLIGHT = Gauge("vibes_ingest_in_flight_requests", "Requests without an answer yet.", registry=REGISTRY)
INGEST_PENDING_CALLBACKS = Gauge(
    "vibes_ingest_pending_callbacks", "Callbacks waiting for the broker's confirm.", registry=REGISTRY
)
INGEST_CONNECTIONS = Gauge("vibes_ingest_connections", "Open connections of callers.", registry=REGISTRY)
INGEST_CONNECTIONS_CUT = Counter(
    "vibes_ingest_connections_cut_total",
    "Connections that were closed to keep a bound, by reason: no_room (idle, or too many in use), slow_headers, "
    "unfinished_headers (too many bytes of them).",
    ["reason"],
    registry=REGISTRY,
)
INGEST_CALLERS_REFUSED = Counter(
    "vibes_ingest_callers_refused_total",
    "Connections closed because the caller's certificate is for none of the names it has to be for.",
    registry=REGISTRY,
)
INGEST_GROUP_CALLBACKS = Histogram(
    "vibes_ingest_group_callbacks", "Callbacks in one broker message.", buckets=_SIZES, registry=REGISTRY
)
INGEST_PUBLISH_SECONDS = Histogram(
    "vibes_ingest_publish_seconds", "From publish to the broker's confirm.", buckets=_SECONDS, registry=REGISTRY
)
INGEST_PUBLISH_FAILURES = Counter(
    "vibes_ingest_publish_failures_total",
    "Broker messages that were not confirmed, by reason.",
    ["reason"],
    registry=REGISTRY,
)
INGEST_UNREADABLE = Counter(
    "vibes_ingest_unreadable_total",
    "Callbacks acknowledged although they cannot be read (they go to quarantine), by reason.",
    ["company_key", "reason"],
    registry=REGISTRY,
)
INGEST_UNCONFIGURED = Counter(
    "vibes_ingest_unconfigured_endpoint_total",
    "Calls from an address of Vibes to an endpoint that is not configured. Alert on any: they are answered 503, and "
    "Vibes gives their events up after a few tries.",
    registry=REGISTRY,
)
INGEST_CRM_REQUESTS = Counter(
    "vibes_ingest_crm_requests_total",
    "Answers of POST /crm/persons, by company (empty when unknown) and status.",
    ["company_key", "status"],
    registry=REGISTRY,
)
INGEST_CRM_CHANGES = Counter(
    "vibes_ingest_crm_changes_total",
    "Records of the CRM in requests that were answered 202 or 422, by company and result (accepted, refused).",
    ["company_key", "result"],
    registry=REGISTRY,
)

# apply: RabbitMQ -> Postgres

APPLY_CALLBACKS = Counter(
    "vibes_apply_callbacks_total",
    "Callbacks settled, by company and outcome (applied, duplicate, quarantined, dead_lettered).",
    ["company_key", "outcome"],
    registry=REGISTRY,
)
APPLY_REDELIVERED = Counter(
    "vibes_apply_redelivered_messages_total",
    "Broker messages that had been applied before (their ack was lost) and were skipped.",
    registry=REGISTRY,
)
APPLY_BATCH_CALLBACKS = Histogram(
    "vibes_apply_batch_callbacks", "Callbacks in one transaction.", buckets=_SIZES, registry=REGISTRY
)
APPLY_TRANSACTION_SECONDS = Histogram(
    "vibes_apply_transaction_seconds", "Duration of one apply transaction.", buckets=_SECONDS, registry=REGISTRY
)
APPLY_RETRIES = Counter(
    "vibes_apply_batch_retries_total",
    "Batches tried again because Postgres could not take them, by reason.",
    ["reason"],
    registry=REGISTRY,
)
APPLY_LAG_SECONDS = Gauge(
    "vibes_apply_lag_seconds", "Age of the oldest callback of the batch applied last.", registry=REGISTRY
)
APPLY_OLDEST_UNAPPLIED = Gauge(
    "vibes_apply_oldest_unapplied_seconds",
    "Age of the oldest callback that this process has taken from its queues and not applied yet; 0: of none. What it "
    "gave back because PostgreSQL was away counts until it takes messages again.",
    registry=REGISTRY,
)
APPLY_LAST_APPLIED = Gauge(
    "vibes_apply_last_applied_timestamp_seconds", "When a batch was applied last.", registry=REGISTRY
)
APPLY_POISON_STORM = Gauge(
    "vibes_apply_poison_storm",
    "1 while this process takes no messages because too many of the last ones could not be applied through a fault of "
    "ours, by what they hold (callbacks, crm_changes). Alert on it: docs/dead-letters.md says what to do.",
    ["what"],
    registry=REGISTRY,
)
APPLY_CRM_CHANGES = Counter(
    "vibes_apply_crm_changes_total",
    "Changes of the CRM settled, by company and outcome (changed, unchanged: nothing newer, dead_lettered).",
    ["company_key", "outcome"],
    registry=REGISTRY,
)

# what was set aside

DEAD_LETTERS = Counter(
    "vibes_dead_letters_total",
    "Callbacks, changes of the CRM and broker messages that this process set aside, by company (empty when unknown), "
    "stage and kind of reason (docs/dead-letters.md has them all).",
    ["company_key", "stage", "reason_kind"],
    registry=REGISTRY,
)
DEAD_LETTERS_OPEN = Gauge(
    "vibes_dead_letters_open",
    "Dead letters that wait for somebody to decide, by company (empty when unknown), stage and kind of reason, as "
    "PostgreSQL was asked last. Absent: there are none, or vibes_postgres_connected is 0.",
    ["company_key", "stage", "reason_kind"],
    registry=REGISTRY,
)

# the audit, by count, as every apply process makes it again and again

AUDIT_MISSING = Gauge(
    "vibes_audit_missing_callbacks",
    "Acknowledged callbacks that were not dealt with, by company: on their way, or lost. Alert on more than 0 for ten "
    "minutes. Absent until the first look.",
    ["company_key"],
    registry=REGISTRY,
)
AUDIT_UNREPORTED = Gauge(
    "vibes_audit_unreported_callbacks",
    "Callbacks that were dealt with and not reported as acknowledged, by company: they will be a second later, were "
    "answered 503 and stored all the same, or acknowledged by a process that was killed.",
    ["company_key"],
    registry=REGISTRY,
)
AUDIT_LAST_RUN = Gauge(
    "vibes_audit_last_run_timestamp_seconds",
    "When the audit was made last; it is every 15 seconds while PostgreSQL answers. 0: never yet.",
    registry=REGISTRY,
)

# person sync: outbox -> Person API

PERSON_SYNC_OUTCOMES = Counter(
    "vibes_person_sync_outcomes_total",
    "Syncs dealt with, by company and outcome (synced, postponed, conflict, skipped).",
    ["company_key", "outcome"],
    registry=REGISTRY,
)
PERSON_SYNC_PENDING = Gauge(
    "vibes_person_sync_pending",
    "Syncs that wait, by company, as PostgreSQL was asked last; counted up to 100000. Absent while "
    "vibes_postgres_connected is 0.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_SYNC_OLDEST_PENDING = Gauge(
    "vibes_person_sync_oldest_pending_seconds",
    "Age of the oldest sync that waits and that no import asked for (those wait for all others, which is no fault), by "
    "company; 0: none waits.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_SYNC_CONFLICTS = Gauge(
    "vibes_person_sync_conflicts",
    "Syncs that Vibes refused for good and nobody has dealt with, by company; counted up to 100000.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_API_CALLS = Counter(
    "vibes_person_api_calls_total",
    "Calls to the Vibes API, by company, route and status (or kind of failure).",
    ["company_key", "route", "status"],
    registry=REGISTRY,
)
PERSON_API_SECONDS = Histogram(
    "vibes_person_api_seconds", "Latency of one call to the Vibes API.", ["route"], buckets=_SECONDS, registry=REGISTRY
)
PERSON_API_RATE = Gauge(
    "vibes_person_api_rate",
    "Requests a second that all workers together may make, by company, as this process leased them last. Below what is "
    "configured after a 429.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_API_BUDGET_LEFT = Gauge(
    "vibes_person_api_budget_left",
    "How many of the requests that all workers together may make within the next second nobody has leased yet, by "
    "company, as PostgreSQL was asked last. 0: calls wait for the rate.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_API_PAUSED = Gauge(
    "vibes_person_api_paused",
    "1 while Vibes refuses the credentials of the company (401, 403), until a call passes again. Alert on it.",
    ["company_key"],
    registry=REGISTRY,
)
PERSON_API_CIRCUIT_OPEN = Gauge(
    "vibes_person_api_circuit_open",
    "1 while this process makes no calls for the company because too many failed in a row (5xx, timeouts, lost "
    "connections), until one succeeds again.",
    ["company_key"],
    registry=REGISTRY,
)

# all processes

BROKER_CONNECTED = Gauge(
    "vibes_broker_connected",
    "1 while the connection is up, by use (publish, crm, measure, and consume with the name of the queue).",
    ["use"],
    registry=REGISTRY,
)
BROKER_QUEUE_MESSAGES = Gauge(
    "vibes_broker_queue_messages",
    "Broker messages that wait in a queue, not counting those a worker holds, as the broker was asked last. Absent "
    "while it does not answer, or the queue is not there.",
    ["queue"],
    registry=REGISTRY,
)
BROKER_QUEUE_CONSUMERS = Gauge(
    "vibes_broker_queue_consumers",
    "Consumers of a queue, of all processes together, as the broker was asked last. Absent as its messages are.",
    ["queue"],
    registry=REGISTRY,
)
POSTGRES_CONNECTED = Gauge(
    "vibes_postgres_connected",
    "1 when PostgreSQL answered what this process asks it every 15 seconds for its metrics, else 0.",
    registry=REGISTRY,
)
POSTGRES_POOL_CONNECTIONS = Gauge(
    "vibes_postgres_pool_connections",
    "Connections to PostgreSQL in the pool of the process, by state (used, idle).",
    ["state"],
    registry=REGISTRY,
)
POSTGRES_POOL_MAX_CONNECTIONS = Gauge(
    "vibes_postgres_pool_max_connections", "The most connections there can be in that pool.", registry=REGISTRY
)
TLS_CERTIFICATE_EXPIRY = Gauge(
    "vibes_tls_certificate_expiry_timestamp_seconds",
    "When the certificate that this process shows ends, or one between it and its root if that is sooner, by what it "
    "is for: ingest (the callback listener), rabbitmq, postgres, vibes_api/COMPANY. Absent: none is configured. NaN: "
    "the file cannot be read any more.",
    ["file_of"],
    registry=REGISTRY,
)
BUILD_INFO = Gauge("vibes_build_info", "Always 1; the release that runs.", ["version"], registry=REGISTRY)
BUILD_INFO.labels(version("vibes-pipeline")).set(1)
ProcessCollector(registry=REGISTRY)

_FOREIGN: dict[Part, tuple[str, ...]] = {
    "ingest": (
        "vibes_apply_",
        "vibes_audit_",
        "vibes_dead_letters",
        "vibes_person_",
        "vibes_postgres_",
        "vibes_broker_queue_",
    ),
    "apply": ("vibes_ingest_", "vibes_person_"),
    "person-sync": ("vibes_ingest_", "vibes_apply_", "vibes_audit_", "vibes_dead_letters_open"),
}
"""How the names of metrics begin that a part has nothing to do with."""


class _OfPart(Collector):
    """What a part shows. Other metrics would be there too, and say 0 of what it knows nothing of."""

    def __init__(self, part: Part) -> None:
        self._foreign = _FOREIGN[part]

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in REGISTRY.collect() if not metric.name.startswith(self._foreign))


def exposition(part: Part, accept: str) -> tuple[bytes, str]:
    """Return what /metrics of a part answers, and its content type, for the Accept header of a scraper."""
    encode, content_type = choose_encoder(accept)
    return encode(_OfPart(part)), content_type
