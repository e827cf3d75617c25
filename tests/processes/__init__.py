"""Real processes: the sample package beside both of its APIs, killed, stopped and starved from outside."""
