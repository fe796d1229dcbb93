"""Teach cloud-init's JSON schema the top-level key `kawaii:`; run once, while the image is built."""

import json
import sys
from pathlib import Path


def extend_schema(schema: dict[str, object]) -> dict[str, object]:
    """Allow a mapping of any content under `kawaii:`: judging its values is kawaiid's business."""
    definitions = schema["$defs"]
    if not isinstance(definitions, dict):
        raise TypeError("the packaged schema has no definitions")
    definitions["cc_kawaii"] = {"type": "object", "properties": {"kawaii": {"type": "object"}}}
    every = schema["allOf"]
    known = schema["properties"]
    if not isinstance(every, list) or not isinstance(known, dict):
        raise TypeError("the packaged schema is laid out in another way than expected")
    every.append({"$ref": "#/$defs/cc_kawaii"})
    known["kawaii"] = {}
    return schema


if __name__ == "__main__":
    packaged, extended = map(Path, sys.argv[1:])
    extended.write_text(json.dumps(extend_schema(json.loads(packaged.read_text())), indent=2) + "\n")
