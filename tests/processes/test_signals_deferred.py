"""A signal that is only noted, until several processes end together."""

import os
import signal

import pytest

from lem_safe import signals


def test_a_signal_is_noted_and_raised_when_all_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_received", [])
    before = signal.signal(signal.SIGTERM, signals._answered)
    try:
        with signals.deferred() as come:
            assert not come() and signals.noted() == 0
            os.kill(os.getpid(), signal.SIGTERM)
            assert come() and signals.noted() == signal.SIGTERM
        with pytest.raises(signals.Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("not reached")
        assert signals.stopped(signal.SIGINT).number == signal.SIGINT
        assert signals.status_after() == 130
    finally:
        signal.signal(signal.SIGTERM, before)
