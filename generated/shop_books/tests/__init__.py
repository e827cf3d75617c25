"""Tests of the package against two mock APIs; copied, as the runtime is."""
