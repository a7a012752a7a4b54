"""The last step before the exporter: nothing leaves but what may."""

from collections.abc import Sequence
from importlib.resources import files

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from runtime.tracing.leaving import leaving

_SQL = ".sql"


class LeavingExporter(SpanExporter):
    """Hands on what may leave, and nothing else."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        statements = [
            each for each in files("schemas").joinpath("sql", "statements").iterdir() if each.name.endswith(_SQL)
        ]
        self._names = {each.read_text(encoding="utf-8"): each.name.removesuffix(_SQL) for each in statements}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        kept = [left for span in spans if (left := leaving(span, self._names)) is not None]
        return self._exporter.export(kept) if kept else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """See `SpanExporter.force_flush`."""
        return self._exporter.force_flush(timeout_millis)
