"""How Hypothesis looks for counterexamples here."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

if "CI" not in os.environ:  # there it takes its own profile, which asks nothing of the machine's pace either
    settings.register_profile("any-pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any-pace")
