"""What people and monitors see of a package that runs: metrics, traces, health, alerts."""
