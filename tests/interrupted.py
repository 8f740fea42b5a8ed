"""An interruption at any moment of a run."""

import pytest


def at_moment(moment: int, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Raises once, at the moment-th of the calls that a step makes: of the sampler, the counts, the log, the
    monitor's parts, the rows.
    """
    import lem_safe.lyapunov.monitors as monitors
    import lem_safe.runs.recorded_chain as chain

    left = [moment]

    def guarded(body):  # type: ignore[no-untyped-def]
        def call(*positional, **named):  # type: ignore[no-untyped-def]
            for late in (False, True):
                found = body(*positional, **named) if late else None
                left[0] -= 1
                if left[0] == 0:
                    raise error or KeyboardInterrupt
            return found

        return call

    for name in ("_step", "_record", "_judge", "_seen"):
        monkeypatch.setattr(chain, name, guarded(getattr(chain, name)))
    for name in ("mixing", "means_of_parts", "stein_of_scores"):
        monkeypatch.setattr(monitors, name, guarded(getattr(monitors, name)))
    monkeypatch.setattr(monitors.Log, "tally", guarded(monitors.Log.tally))
