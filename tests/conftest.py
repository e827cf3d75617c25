"""What holds for all tests."""

from __future__ import annotations

import signal
import threading

from hypothesis import HealthCheck, settings

settings.register_profile("vitesse", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vitesse")
"""As Hypothesis has it here (in CI the same examples each time), but for what a busy machine would fail."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # Whoever starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
