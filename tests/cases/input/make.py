"""Makes the binary files of the cases beside it: `python3 make.py`, with pyarrow 26 from PyPI. They are committed, so
that the tests need no Python; what it makes is the same each time but for the files that are encrypted."""

import base64
import os
import struct
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = Path(__file__).parent


def path(case: str, name: str = "rows.parquet") -> Path:
    file = HERE / case / "data" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def write(case: str, table: pa.Table, name: str = "rows.parquet", **options) -> Path:
    file = path(case, name)
    pq.write_table(table, file, **options)
    return file


def three() -> pa.Table:
    return pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["ann", "bob", "eve"]})


def many(rows: int = 5_000) -> pa.Table:
    numbers = list(range(rows))
    return pa.table({"id": numbers, "name": [f"customer {n * 7919 % 100_003}" for n in numbers]})


def varint(number: int) -> bytes:
    """A positive number as Thrift's compact protocol writes it."""
    number <<= 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def edit_footer(file: Path, numbers: dict[int, int]) -> None:
    """Replaces numbers in a footer, wherever they stand there."""
    data = file.read_bytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    body, footer = data[: -8 - length], data[-8 - length : -8]
    for old, new in numbers.items():
        assert varint(old) in footer, (file, old)
        footer = footer.replace(varint(old), varint(new))
    file.write_bytes(body + footer + struct.pack("<I", len(footer)) + b"PAR1")


def damaged() -> None:
    file = write("parquet_corrupt_page", many(), compression="zstd", use_dictionary=False)
    data = bytearray(file.read_bytes())
    start = pq.ParquetFile(file).metadata.row_group(0).column(1).data_page_offset
    data[start + 200 : start + 1200] = bytes(1000)
    file.write_bytes(data)

    file = write("parquet_corrupt_footer", three())
    data = bytearray(file.read_bytes())
    length = struct.unpack("<I", data[-8:-4])[0]
    for index in range(len(data) - 8 - length, len(data) - 8, 3):
        data[index] ^= 0x5A
    file.write_bytes(data)

    file = write("parquet_truncated", many())
    file.write_bytes(file.read_bytes()[:9_000])
    path("parquet_empty_file").write_bytes(b"")
    path("parquet_foreign_csv").write_bytes(b"id,name\n1,ann\n2,bob\n")
    write("parquet_without_rows", three().slice(0, 0))
    write("csv_foreign_parquet", three(), "rows.csv")

    good = write("parquet_one_bad_of_three", three(), "a.parquet")
    write("parquet_one_bad_of_three", three(), "c.parquet")
    path("parquet_one_bad_of_three", "b.parquet").write_bytes(good.read_bytes()[:-30])


class Keys(pe.KmsClient):
    """A key service that keeps its keys to itself."""

    def __init__(self, _config):
        super().__init__()

    def wrap_key(self, key, _name):
        return base64.b64encode(key).decode()

    def unwrap_key(self, wrapped, _name):
        return base64.b64decode(wrapped)


def encrypted() -> None:
    factory = pe.CryptoFactory(Keys)
    for case, plaintext in [("parquet_encrypted_footer", False), ("parquet_encrypted_column", True)]:
        config = pe.EncryptionConfiguration(
            footer_key="footer", column_keys={"column": ["name"]}, plaintext_footer=plaintext, data_key_length_bits=128
        )
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
        with pq.ParquetWriter(path(case), three().schema, encryption_properties=properties) as writer:
            writer.write_table(three())


def bombs() -> None:
    # A group of rows that claims a million times as many as there are.
    file = write("parquet_bomb_of_rows", many(), use_dictionary=False, compression="zstd")
    edit_footer(file, {5_000: 5_000_000_000})
    # One that says the same of every column.
    file = write("parquet_bomb_of_rows_in_one_place", many(5_001), use_dictionary=False, compression="zstd")
    data = file.read_bytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - length : -8].replace(varint(5_001), varint(9_000_000), 1)
    file.write_bytes(data[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1")
    # Columns that claim to be terabytes once they are decompressed.
    file = write("parquet_bomb_of_bytes", many(), use_dictionary=False, compression="zstd")
    group = pq.ParquetFile(file).metadata.row_group(0)
    sizes = [group.column(index).total_uncompressed_size for index in range(2)]
    edit_footer(file, {sizes[0]: 3_000_000_000_000, sizes[1]: 4_000_000_000_000, sum(sizes): 7_000_000_000_000})
    # A page that claims two gigabytes.
    file = write("parquet_bomb_of_a_page", many().select(["id"]), use_dictionary=False, compression="zstd")
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
    data = file.read_bytes()
    page = chunk.data_page_offset
    header = data[page : page + 24]
    old = varint(40_007)  # the numbers, and which of them are null
    assert old in header, header
    data = data[:page] + header.replace(old, varint(2**31 - 1), 1) + data[page + 24 :]
    grown = len(varint(2**31 - 1)) - len(old)
    file.write_bytes(data)
    edit_footer(file, {chunk.total_compressed_size: chunk.total_compressed_size + grown})
    # Much that compresses well is no bomb.
    zeros = pa.table({"id": pa.array([0] * 200_000, pa.int64())})
    write("parquet_compressed_well", zeros, use_dictionary=False, compression="zstd")


def changed() -> None:
    write("glob_changed_type", three(), "a.parquet")
    write("glob_changed_type", pa.table({"id": ["1"], "name": ["ann"]}), "b.parquet")
    write("glob_lost_column", three(), "a.parquet")
    write("glob_lost_column", three().select(["id"]), "b.parquet")
    write("glob_further_column", three(), "a.parquet")
    write("glob_further_column", three().append_column("age", pa.array([30, 40, 50])), "b.parquet")
    write("glob_other_order", three(), "a.parquet")
    write("glob_other_order", pa.table({"name": ["kim"], "id": [4]}), "b.parquet")
    write("glob_narrower_type", three(), "a.parquet")
    write("glob_narrower_type", pa.table({"id": pa.array([4], pa.int16()), "name": ["kim"]}), "b.parquet")
    two = pa.Table.from_arrays([pa.array([1]), pa.array(["ann"]), pa.array(["bob"])], names=["id", "name", "name"])
    write("parquet_column_twice", two)
    for month in ["1", "march"]:
        write("hive_value_of_another_type", three(), f"month={month}/rows.parquet")


def values() -> None:
    infinity, nan = float("inf"), float("nan")
    floats = pa.array([1.5, nan, infinity, -infinity, -0.0, None], pa.float64())
    write("parquet_floats", pa.table({"id": list(range(6)), "x": floats}))
    write("parquet_nan_in_a_range", pa.table({"id": list(range(6)), "x": floats}))
    write("parquet_null_in_non_null", pa.table({"id": [1, None, 3], "name": ["ann", "bob", None]}))
    write("parquet_duplicate_keys", pa.table({"id": [1, 2, 2, 2], "name": ["ann", "bob", "eve", "kim"]}))
    write("parquet_duplicate_keys_set_aside", pa.table({"id": [1, 2, 2, 2], "name": ["ann", "bob", "eve", "kim"]}))
    texts = [b"ann", b"\xff\xfe\xfa", b"eve"]
    offsets = struct.pack("<4i", 0, 3, 6, 9)
    invalid = pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    write("parquet_invalid_utf8", pa.table({"id": [1, 2, 3], "name": invalid}), use_dictionary=False)
    write("parquet_invalid_utf8_in_a_dictionary", pa.table({"id": [1, 2, 3], "name": invalid}))
    plain = ["ann", "bob", "ann"]
    dictionary = pa.table({"id": [1, 2, 3], "name": pa.array(plain).dictionary_encode()})
    write("parquet_dictionary", dictionary)
    write("parquet_binary", pa.table({"id": [1], "name": pa.array([b"ann"], pa.binary())}))
    write("parquet_large_string", pa.table({"id": [1], "name": pa.array(["ann"], pa.large_string())}))
    write("parquet_wider_integer", pa.table({"id": pa.array([2**40], pa.int64()), "name": ["ann"]}))
    write("parquet_unsigned_integer", pa.table({"id": pa.array([2**63 + 1], pa.uint64()), "name": ["ann"]}))
    write("parquet_narrow_unsigned_integer", pa.table({"id": pa.array([2**32 - 1], pa.uint32()), "name": ["ann"]}))
    write("parquet_half_float", pa.table({"id": [1], "x": pa.array([1.5], pa.float16())}))
    for codec in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]:
        write("parquet_codecs", three(), f"{codec}.parquet", compression=codec)


def moments() -> None:
    noon = datetime(2024, 3, 1, 12, 0, 0)
    units = {f"{unit}": pa.array([noon, datetime(1969, 12, 31, 23, 59, 59)], pa.timestamp(unit)) for unit in ["s", "ms", "us", "ns"]}
    write("parquet_timestamps_of_every_unit", pa.table({"id": [1, 2], **units}))
    fine = pa.array([1_709_294_400_000_001_999, -1], pa.timestamp("ns"))
    write("parquet_timestamps_finer_than_microseconds", pa.table({"id": [1, 2], "at": fine}))
    utc = pa.array([noon.replace(tzinfo=timezone.utc)], pa.timestamp("us", "UTC"))
    tokyo = pa.array([noon.replace(tzinfo=timezone.utc)], pa.timestamp("ms", "Asia/Tokyo"))
    offset = pa.array([noon.replace(tzinfo=timezone.utc)], pa.timestamp("ns", "+02:00"))
    write("parquet_timestamps_of_zones", pa.table({"id": [1], "utc": utc, "tokyo": tokyo, "fixed": offset}))
    far = pa.array([2**60, 0], pa.timestamp("ms"))
    write("parquet_timestamps_out_of_range", pa.table({"id": [1, 2], "at": far}))
    write("parquet_timestamps_out_of_range_as_event_time", pa.table({"id": [1, 2], "at": far}))
    legacy = pa.table({"id": [1], "at": pa.array([noon], pa.timestamp("ns"))})
    write("parquet_timestamps_of_96_bits", legacy, use_deprecated_int96_timestamps=True)
    write("parquet_times_of_day", pa.table({"id": [1], "at": pa.array([1], pa.time64("us"))}))
    write("parquet_dates", pa.table({"id": [1, 2], "day": pa.array([date(2024, 2, 29), date(1, 1, 1)], pa.date32())}))
    write("parquet_date_for_datetime", pa.table({"id": [1], "at": pa.array([date(2024, 2, 29)], pa.date32())}))


def decimals() -> None:
    prices = [Decimal("12.34"), Decimal("-0.05"), None]
    write("parquet_decimal", pa.table({"id": [1, 2, 3], "price": pa.array(prices, pa.decimal128(10, 2))}))
    write("parquet_decimal_as_integer", pa.table({"id": [1, 2, 3], "price": pa.array(prices, pa.decimal128(9, 2))}),
          store_decimal_as_integer=True)
    write("parquet_decimal_of_another_scale", pa.table({"id": [1, 2, 3], "price": pa.array(prices, pa.decimal128(10, 3))}))
    write("parquet_decimal_for_float", pa.table({"id": [1, 2, 3], "price": pa.array(prices, pa.decimal128(10, 2))}))
    write("parquet_decimal_of_256_bits", pa.table({"id": [1, 2, 3], "price": pa.array(prices, pa.decimal256(50, 2))}))


def nested() -> None:
    people = pa.array([{"first": "ann", "age": 3}], pa.struct([("first", pa.string()), ("age", pa.int64())]))
    write("parquet_struct", pa.table({"id": [1], "name": people}))
    write("parquet_struct_that_is_not_read", pa.table({"id": [1], "name": ["ann"], "more": people}))
    pairs = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    write("parquet_map", pa.table({"id": [1], "name": pairs}))
    vectors = pa.array([[1.0, 2.5], [], None], pa.list_(pa.float32()))
    write("parquet_list", pa.table({"id": [1, 2, 3], "v": vectors}))
    write("parquet_list_of_another_type", pa.table({"id": [1, 2, 3], "v": pa.array([["a"], [], None])}))


def texts() -> None:
    import gzip

    path("csv_compressed", "rows.csv.gz").write_bytes(gzip.compress(b"id,name\n1,ann\n", mtime=0))
    path("csv_utf16", "rows.csv").write_bytes("id,name\n1,ann\n".encode("utf-16"))
    path("csv_invalid_utf8", "rows.csv").write_bytes(b"id,name\n1,ann\n2,bj\xf6rn\n3,eve\n")
    path("csv_zero_bytes", "rows.csv").write_bytes(b"id,name\n1,ann\n2,b\x00b\n" + bytes(40) + b"\n")
    path("csv_byte_order_mark_and_windows_lines", "rows.csv").write_bytes(
        b"\xef\xbb\xbfid,name\r\n1,ann\r\n\r\n2,\"b\r\nb\"\r\n"
    )
    path("csv_empty_file", "rows.csv").write_bytes(b"")
    path("ndjson_empty_file", "rows.ndjson").write_bytes(b"")
    path("ndjson_invalid_utf8", "rows.ndjson").write_bytes(b'{"id": 1, "name": "ann"}\n{"id": 2, "name": "bj\xf6rn"}\n')


if __name__ == "__main__":
    os.chdir(HERE)
    for make in [damaged, encrypted, bombs, changed, values, moments, decimals, nested, texts]:
        make()
