"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("vitesse", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vitesse")
"""As Hypothesis has it here (in CI the same examples each time), but for what a busy machine would fail."""
