"""Two stateful mock APIs, one for each side of an integration, driven by one JSON value each.

The values are derived from the same plan as the package, and from the vendors' full schemas. So what the mocks prove is that
the package agrees with its plan: it pages, filters, signs in, waits, retries and writes as declared, and its bodies are
valid by the published schemas. They do not prove that the vendor behaves as its description says; only a sandbox of the
vendor's can show that.

    python -m tests.mocks --count 1247

starts both and prints their URLs and the environment that points the package at them. In tests:

    with serve_in_thread(load_mock(path), count=25) as running:
        running.url, running.mock.records("customers")

`form.py` documents the JSON, `control.py` the control paths under `/_mock/`.
"""

from .form import FormError, MockForm, load_mock, read_mock
from .server import Mock
from .thread import Running, serve_in_thread

__all__ = ["FormError", "Mock", "MockForm", "Running", "load_mock", "read_mock", "serve_in_thread"]
