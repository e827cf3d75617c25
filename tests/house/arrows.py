"""The contract type of the arrows in pyproject.toml: `forbidden`, for rooms that exist."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import ContractCheck
from importlinter.contracts.forbidden import ForbiddenContract


class ArrowContract(ForbiddenContract):
    """Leaves out internal modules that are not built yet; `test_arrows.py` says which."""

    type_name = "arrow"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        roots = set(self.session_options["root_packages"])
        own: Any = self
        for names in ("source_modules", "forbidden_modules"):
            there = {
                name
                for name in getattr(own, names)
                if str(name).split(".")[0] not in roots or "*" in str(name) or str(name) in graph.modules
            }
            setattr(own, names, there)
        return super().check(graph, verbose)
