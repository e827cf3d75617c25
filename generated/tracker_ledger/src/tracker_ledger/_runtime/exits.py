"""What the exit codes of a package's commands say. What is typed wrong ends with 2, as click has it."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_INPUT = 1
"""It could not be done: a setting, a refusal, a run that failed."""
EXIT_PARTIAL = 3
"""It was done, and something needs a person: dead records, differences."""
EXIT_BUG = 70
EXIT_TAKEN_FOR_DEAD = 75
"""Of a worker that the others have given up: it may be started again."""
EXIT_TERMINATED = 143
"""It was asked to stop, and has."""
