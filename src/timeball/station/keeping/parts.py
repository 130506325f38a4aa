"""A part of cold storage: the payloads of consecutive bundles as two Parquet files, and back to the same bytes.

`….entries.parquet` has one row an entry; `….readings.parquet` one row a reading, for whoever analyses clocks. Batches
that come back exactly from their rows are only in the second; everything else keeps its payload in the first.
A row group ends where a bundle ends. Needs pyarrow (the extra `history`); files and names are `cold`'s.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from timeball.ledger.entry import parse_envelope
from timeball.ledger.errors import TileError
from timeball.ledger.payload import HEADER, parse_frame, write_frame
from timeball.ledger.tiles import WIDTH
from timeball.station.keeping.columns import Rows, join_readings, split_readings
from timeball.station.keeping.errors import ColdStorageError

if TYPE_CHECKING:
    import pyarrow as pa

READINGS = "readings"
GROUP_BUNDLES = 16
GROUP_BYTES = 2 << 20
_REMEMBERED_GROUPS = 4
_LEVEL = 9
_ODD = (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
_NAMES = ("type", "by", "batch", "rows", "pairs")
_ROW_COLUMNS = ("entry", "epoch", "a", "b", "x_fs", "u_fs")
_ENTRY_COLUMNS = ("index", "time", "type", "by", "salt", "erased", "payload", "batch", "signature", "rows", "pairs")


def arrow() -> Any:
    """The package pyarrow; raises ColdStorageError with the way to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ColdStorageError("pyarrow", "cold storage needs it: install the extra `history`") from error
    return pyarrow


def schemas() -> tuple[pa.Schema, pa.Schema]:
    """The columns of entries and of readings. Times and epochs are ns of TAI, x and u fs (k = 1)."""
    pa = arrow()
    name = pa.dictionary(pa.int32(), pa.string())
    kinds = {
        **dict.fromkeys(("index", "time", "entry", "epoch", "x_fs", "u_fs"), pa.int64()),
        **dict.fromkeys(("type", "by", "a", "b"), name),
        **dict.fromkeys(("salt", "payload", "signature"), pa.binary()),
        **dict.fromkeys(("erased", "rows", "pairs"), pa.int32()),
        "batch": pa.dictionary(pa.int32(), pa.binary()),
    }
    entries, readings = ([pa.field(n, kinds[n]) for n in names] for names in (_ENTRY_COLUMNS, _ROW_COLUMNS))
    return pa.schema(entries), pa.schema(readings)


class PartWriter:
    """Collects bundles and gives the two files. Memory: the compressed files and one row group."""

    def __init__(self) -> None:
        import pyarrow.parquet as pq

        self._schemas = schemas()
        self._files = (io.BytesIO(), io.BytesIO())
        options: dict[str, Any] = {"compression": "zstd", "compression_level": _LEVEL, "use_dictionary": list(_NAMES)}
        rows: dict[str, Any] = {
            "use_dictionary": ["a", "b", "u_fs"],
            "column_encoding": dict.fromkeys(("entry", "epoch", "x_fs"), "DELTA_BINARY_PACKED"),
        }
        self._writers = (
            pq.ParquetWriter(self._files[0], self._schemas[0], **options),
            pq.ParquetWriter(self._files[1], self._schemas[1], **{**options, **rows}),
        )
        self._start()
        self.bytes_in = 0

    def add(self, number: int, leaves: list[bytes], bundle: bytes) -> None:
        """Add the payload bundle `number` with its leaves; raises TileError and EntryError."""
        offset = 0
        for position, leaf in enumerate(leaves):
            frame = parse_frame(bundle, offset)
            erased = None if frame.payload is not None else frame.end - offset - HEADER.size
            self._entry(number * WIDTH + position, leaf, frame.salt, frame.payload, erased)
            offset = frame.end
        self.bytes_in += len(bundle)
        self._bytes += len(bundle)
        self._bundles += 1
        if self._bundles == GROUP_BUNDLES or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> tuple[bytes, bytes]:
        """The files of entries and of readings."""
        self._flush()
        for writer in self._writers:
            writer.close()
        return self._files[0].getvalue(), self._files[1].getvalue()

    def _start(self) -> None:
        self._entries: dict[str, list[Any]] = {name: [] for name in _ENTRY_COLUMNS}
        self._rows: dict[str, list[Any]] = {name: [] for name in _ROW_COLUMNS}
        self._bundles = self._bytes = 0

    def _flush(self) -> None:
        for writer, schema, columns in zip(self._writers, self._schemas, (self._entries, self._rows), strict=True):
            if next(iter(columns.values())):
                table = arrow().table(columns, schema=schema)
                writer.write_table(table, row_group_size=table.num_rows)
        self._start()

    def _entry(self, index: int, leaf: bytes, salt: bytes, payload: bytes | None, erased: int | None) -> None:
        envelope = parse_envelope(leaf)
        rows = split_readings(payload) if payload is not None and envelope.type == READINGS else None
        values: tuple[Any, ...] = (index, envelope.time_ns, envelope.type, envelope.by, salt or None, erased)
        if rows is None:
            values += (payload, None, None, None, None)
        else:
            values += (None, rows.template, rows.signature, len(rows.epoch), rows.pairs)
            entry = [index] * len(rows.epoch)
            more: tuple[list[Any], ...] = (entry, rows.epoch, rows.a, rows.b, rows.x_fs, rows.u_fs)
            for name, column in zip(_ROW_COLUMNS, more, strict=True):
                self._rows[name].extend(column)
        for name, value in zip(_ENTRY_COLUMNS, values, strict=True):
            self._entries[name].append(value)


class PartReader:
    """Payload bundles out of the two files of a part; remembers the row groups it read last."""

    def __init__(self, name: str, entries: bytes, readings: bytes) -> None:
        arrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._name = name
        self._groups: OrderedDict[int, dict[int, bytes]] = OrderedDict()
        try:
            self._entries, self._readings = (pq.ParquetFile(pa.BufferReader(data)) for data in (entries, readings))
            self._spans = [_span(self._entries, group, 0) for group in range(self._entries.num_row_groups)]
            rows = range(self._readings.num_row_groups)
            self._row_spans = [_span(self._readings, group, 0) for group in rows]
        except (pa.ArrowException, OSError, AttributeError) as error:
            raise ColdStorageError(name, f"not the Parquet files of a part: {error}") from error

    def bundle(self, number: int) -> bytes | None:
        """The bytes of payload bundle `number`, None when the part does not hold it; raises ColdStorageError."""
        for group, (first, last) in enumerate(self._spans):
            if first <= number * WIDTH <= last:
                if group not in self._groups:
                    self._groups[group] = self._read_group(group)
                    if len(self._groups) > _REMEMBERED_GROUPS:
                        self._groups.popitem(last=False)
                return self._groups[group].get(number)
        return None

    def _read_group(self, group: int) -> dict[int, bytes]:
        import pyarrow as pa

        first, last = self._spans[group]
        touched = [i for i, (low, high) in enumerate(self._row_spans) if low <= last and high >= first]
        bundles: dict[int, list[bytes]] = {}
        try:
            entries = self._entries.read_row_group(group).to_pydict()
            rows = self._readings.read_row_groups(touched).to_pydict() if touched else {n: [] for n in _ROW_COLUMNS}
            for index, frame in zip(entries["index"], _frames(entries, rows), strict=True):
                bundles.setdefault(index // WIDTH, []).append(frame)
        except (pa.ArrowException, msgspec.MsgspecError, TileError, *_ODD) as error:
            raise ColdStorageError(self._name, f"cannot be read: {error}") from error
        return {number: b"".join(frames) for number, frames in bundles.items() if len(frames) == WIDTH}


def _frames(entries: dict[str, list[Any]], rows: dict[str, list[Any]]) -> Iterator[bytes]:
    """The frames of a row group, in order."""
    at = 0
    for salt, erased, payload, batch, signature, count, pairs in zip(*_columns(entries), strict=True):
        if erased is not None:
            yield HEADER.pack(0, erased) + bytes(erased)
            continue
        if payload is not None:
            yield write_frame(salt, payload)
            continue
        columns = [rows[name][at : at + count] for name in _ROW_COLUMNS[1:]]
        at += count
        yield write_frame(salt, join_readings(Rows(batch, signature, pairs, *columns)))


def _columns(entries: dict[str, list[Any]]) -> Iterable[list[Any]]:
    return (entries[name] for name in _ENTRY_COLUMNS[4:])


def _span(file: Any, group: int, column: int) -> tuple[int, int]:
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics.min, statistics.max
