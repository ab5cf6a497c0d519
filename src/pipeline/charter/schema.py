"""The charter's JSON Schema, so that editors complete keys and show what they mean."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pipeline.charter.model import Charter


def charter_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a charter, in the key names of the YAML."""
    schema = Charter.model_json_schema(by_alias=True)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def schema_text() -> str:
    """The schema as the text of ``configs/charter.schema.json``."""
    return json.dumps(charter_schema(), indent=2, ensure_ascii=False) + "\n"
