"""airbyte-cdk: its declarative source, read by its own entry point; the records go to standard output as messages."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.yaml_declarative_source import YamlDeclarativeSource

from benchmarks.sync.clients.plain import READ_HEADERS

_SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": True}


def main(address: str) -> None:
    """Read the one stream."""
    manifest: dict[str, Any] = {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["customers"]},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "customers",
                "primary_key": ["id"],
                "schema_loader": {"type": "InlineSchemaLoader", "schema": _SCHEMA},
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {
                        "type": "HttpRequester",
                        "url_base": f"{address}/shop/",
                        "path": "customers.json",
                        "http_method": "GET",
                        "request_headers": READ_HEADERS,
                        "request_parameters": {"limit": "250"},
                    },
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["customers"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_token_option": {"type": "RequestPath"},
                        "pagination_strategy": {
                            "type": "CursorPagination",
                            "cursor_value": "{{ headers['link']['next']['url'] }}",
                            "stop_condition": "{{ 'next' not in headers['link'] }}",
                        },
                    },
                },
            }
        ],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }
    catalog = {
        "streams": [
            {
                "stream": {"name": "customers", "json_schema": _SCHEMA, "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
        ]
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, value in (("manifest.yaml", manifest), ("config.json", {}), ("catalog.json", catalog)):
            (folder / file).write_text(json.dumps(value))
        source = YamlDeclarativeSource(
            path_to_yaml=str(folder / "manifest.yaml"), catalog=None, config=None, state=None
        )  # fmt: skip
        launch(
            source,
            ["read", "--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")],
        )


main(sys.argv[1])
