"""Where an API is: its servers with their variables, and the operations that are elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..api.model import Server
from . import addresses, parameters
from .keywords import as_list
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder
    from .operations import Entry

_OWN = "a credential goes to no address that the manifest does not name; where the two differ, describe it as an API of its own"


class Servers:
    """The servers of one document."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        document = builder.document
        if document.version == "2.0":
            self.servers = self._of_swagger(document.value)
        else:
            self.servers = self._read(document.value.get("servers"), document.file, "#/servers")

    def of(self, entry: Entry) -> str | None:
        """A server URL of the operation or its path that is not one of the API's."""
        for value, file, pointer in (
            (entry.value, entry.file, entry.pointer),
            (entry.shared, entry.shared_file, entry.shared_pointer),
        ):
            own = self._read(value.get("servers"), file, f"{pointer}/servers")
            if own:
                known = {server.url for server in self.servers}
                if own[0].url in known:
                    return None
                message = f"it has a server of its own, `{shown(own[0].url)}`, and is sent to the API's base URL"
                self._builder.reports.note("V211", message, file, f"{pointer}/servers/0/url", help=_OWN)
                return _filled(own[0])
        return None

    def _read(self, published: Any, file: str, pointer: str) -> tuple[Server, ...]:
        reports = self._builder.reports
        if published is not None and not isinstance(published, list):
            reports.error("V211", "`servers` is not a list", file, pointer)
        good: list[Server] = []
        faults: list[tuple[str, str]] = []
        for index, value in enumerate(as_list(published)):
            at = f"{pointer}/{index}"
            url = value.get("url") if isinstance(value, dict) else None
            if not isinstance(url, str):
                faults.append(("a server has no `url`", at))
                continue
            variables = self._variables(url, value.get("variables"), file, at)
            server = Server(
                url=url,
                variables=variables,
                description=str(value.get("description") or ""),
                place=reports.place(file, at),
            )
            fault = addresses.fault_of(url) or addresses.fault_of(_filled(server))
            if fault is None:
                good.append(server)
            else:
                faults.append((f"the server `{shown(url)}` {fault}", f"{at}/url"))
        for message, at in faults:
            if good:
                reports.warn("V211", f"{message}; it is left out", file, at)
            else:
                reports.error("V211", message, file, at)
        return tuple(good)

    def _variables(
        self, url: str, published: Any, file: str, pointer: str
    ) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        found: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        for name, value in published.items() if isinstance(published, dict) else ():
            if f"{{{name}}}" not in url or not isinstance(value, dict):
                continue
            allowed = tuple(str(one) for one in as_list(value.get("enum")))
            default = value.get("default")
            found[name] = (name, str(default) if default is not None else next(iter(allowed), ""), allowed)
        for name in parameters.template_names(url):
            if name not in found:
                message = f"the variable `{{{shown(name)}}}` of the server is not described"
                self._builder.reports.note("V211", message, file, f"{pointer}/url")
                found[name] = (name, "", ())
        return tuple(found.values())

    def _of_swagger(self, value: dict[str, Any]) -> tuple[Server, ...]:
        """`host`, `basePath` and `schemes` as URLs, HTTPS first."""
        host = value.get("host")
        base = value.get("basePath")
        base = base if isinstance(base, str) and base != "/" else ""
        file = self._builder.document.file
        if not isinstance(host, str) or not host:
            return self._read([{"url": base}], file, "#/basePath") if base else ()
        schemes = [scheme for scheme in as_list(value.get("schemes")) if scheme in ("https", "http")] or ["https"]
        urls = [f"{scheme}://{host.rstrip('/')}{base}" for scheme in sorted(schemes, key=["https", "http"].index)]
        return self._read([{"url": url} for url in urls], file, "#/host")


def _filled(server: Server) -> str:
    url = server.url
    for name, default, _ in server.variables:
        url = url.replace(f"{{{name}}}", default or f"{{{name}}}")
    return url
