"""Values of the Avro sample as rows, read by fastavro from the schemas that ship; None for what it does not take."""

import io
import json
from pathlib import Path

import fastavro

FOLDER = Path(__file__).parents[2] / "configs" / "schemas"
SCHEMAS = {int(file.stem): fastavro.parse_schema(json.loads(file.read_text("utf-8"))) for file in FOLDER.glob("*.avsc")}


def avro_row(value):
    """The row with its time in milliseconds since 1970, or None where the value is not one good framed record."""
    schema = SCHEMAS.get(int.from_bytes(value[1:5], "big"))
    stream = io.BytesIO(value)
    stream.seek(5)
    try:
        row = fastavro.schemaless_reader(stream, schema)
        assert stream.tell() == len(value)
        return row | {"timestamp": round(row["timestamp"].timestamp() * 1_000)}
    except (ValueError, EOFError, IndexError, AttributeError, TypeError, AssertionError):
        return None
