from ingest.pending import Pending


def test_so_many_requests_fit() -> None:
    pending = Pending(max_callbacks=2, max_bytes=100)
    with pending.request(), pending.request():
        assert not pending.is_over()
        with pending.request():
            assert pending.is_over()
        assert not pending.is_over()


def test_so_many_bytes_fit() -> None:
    pending = Pending(max_callbacks=10, max_bytes=100)
    with pending.request() as first, pending.request() as second:
        assert first.grow(60)
        assert second.grow(40)
        assert not second.grow(1)


def test_an_answered_request_holds_nothing() -> None:
    pending = Pending(max_callbacks=1, max_bytes=10)
    with pending.request() as share:
        assert not share.grow(11)
    assert (pending.callbacks, pending.bytes) == (0, 0)
