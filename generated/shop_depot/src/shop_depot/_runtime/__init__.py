"""The runtime of generated packages: ordinary Python, tested here, copied byte for byte as `_runtime/`."""
