"""Writes small Parquet files: one row group, no compression, no nulls. Enough to feed a source.

The format is that of https://parquet.apache.org/docs/file-format/; its metadata are Thrift's compact protocol.
"""

import struct

BOOLEAN, INT64, DOUBLE, BYTE_ARRAY = 0, 2, 5, 6
MAGIC = b"PAR1"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Struct:
    """A struct of Thrift's compact protocol; fields in the order of their ids."""

    def __init__(self):
        self.bytes, self.last = bytearray(), 0

    def field(self, number, kind, content=b""):
        self.bytes.append((number - self.last) << 4 | kind)
        self.bytes += content
        self.last = number
        return self

    def truth(self, number, value):
        return self.field(number, 1 if value else 2)

    def i32(self, number, value):
        return self.field(number, 5, varint(value << 1))

    def i64(self, number, value):
        return self.field(number, 6, varint(value << 1))

    def text(self, number, value):
        return self.field(number, 8, binary(value))

    def struct(self, number, value):
        return self.field(number, 12, value.end())

    def list(self, number, kind, items):
        head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
        return self.field(number, 9, head + b"".join(items))

    def end(self):
        return bytes(self.bytes) + b"\0"


def binary(text):
    raw = text.encode()
    return varint(len(raw)) + raw


def logical(kind):
    """The logical type of a column, for those that have one."""
    if kind == "string":
        return Struct().struct(1, Struct())
    unit = Struct().struct(2, Struct())
    return Struct().struct(8, Struct().truth(1, False).struct(2, unit))  # a timestamp without a zone, in microseconds


PHYSICAL = {"int64": INT64, "datetime": INT64, "float64": DOUBLE, "string": BYTE_ARRAY}


def plain(kind, values):
    if kind == "float64":
        return struct.pack(f"<{len(values)}d", *values)
    if kind == "string":
        raw = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(one)) + one for one in raw)
    return struct.pack(f"<{len(values)}q", *values)


def write(path, columns):
    """`columns`: name, type (int64, float64, string, datetime as microseconds since 1970), values."""
    rows = len(columns[0][2])
    body, chunks, schema = bytearray(MAGIC), [], [Struct().text(4, "schema").i32(5, len(columns)).end()]
    for name, kind, values in columns:
        element = Struct().i32(1, PHYSICAL[kind]).i32(3, 0).text(4, name)
        schema.append((element.struct(10, logical(kind)) if kind in ("string", "datetime") else element).end())
        data, start = plain(kind, values), len(body)
        header = Struct().i32(1, rows).i32(2, 0).i32(3, 3).i32(4, 3)
        page = Struct().i32(1, 0).i32(2, len(data)).i32(3, len(data)).struct(5, header).end() + data
        body += page
        meta = Struct().i32(1, PHYSICAL[kind]).list(2, 5, [varint(0)]).list(3, 8, [binary(name)]).i32(4, 0)
        meta.i64(5, rows).i64(6, len(page)).i64(7, len(page)).i64(9, start)
        chunks.append(Struct().i64(2, start).struct(3, meta).end())
    group = Struct().list(1, 12, chunks).i64(2, len(body)).i64(3, rows).end()
    footer = Struct().i32(1, 1).list(2, 12, schema).i64(3, rows).list(4, 12, [group]).end()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(body) + footer + struct.pack("<I", len(footer)) + MAGIC)
