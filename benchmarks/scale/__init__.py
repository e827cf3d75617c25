"""What bounds throughput when workers are added: measured with 1, 2 and 4, simulated for 100."""
