"""The kinds of files that are known, in one table: how each is recognised, read and written.

A kind of file that compares clocks gives readings; another (a leap second table, tracks of satellites, a table of
deviations) says what it holds instead, and is written again from what it holds. The order of the table is the order in
which kinds are tried: those that mark themselves first, plain columns last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from timeball.formats import chrony, ntpd, stable32, stable32_tau, timelab
from timeball.formats.bipm_clocks import is_bipm_clocks, read_bipm_clocks, write_bipm_clocks
from timeball.formats.bipm_tables import is_bipm_table
from timeball.formats.cggtts import is_cggtts, read_cggtts
from timeball.formats.cggtts.convert import convert_cggtts
from timeball.formats.cggtts.writer import write_cggtts
from timeball.formats.circular_t import is_circular_t, read_circular_t
from timeball.formats.columns import ColumnOptions, ColumnsReader, column_pieces, parse_columns
from timeball.formats.columns.lines import looks_like_columns
from timeball.formats.defects import Defect, Parsed, WriteError, whole_file_error
from timeball.formats.itu_tw import is_itu_tw, read_itu_tw
from timeball.formats.itu_tw.writer import write_itu_tw
from timeball.formats.leap_seconds import is_leap_seconds
from timeball.formats.psfs import is_psfs
from timeball.formats.rinex_clock import is_rinex_clock, parse_rinex_clock
from timeball.formats.rinex_clock.writer import write_rinex_clock
from timeball.formats.tempo2 import is_tempo2_clock, parse_tempo2_clock
from timeball.formats.tempo2_writer import write_tempo2_clock
from timeball.formats.tfex import is_tfex, read_tfex
from timeball.formats.tfex.writer import write_tfex_readings
from timeball.formats.utcr import is_utcr, read_utcr
from timeball.instants import LeapTable
from timeball.readings import Readings

HEAD_BYTES = 1 << 15
LINK = ": a comparison of clocks takes both ends, see `timeball transfer`"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """leaps: for epochs in UTC. clocks: of RINEX clock files, these only. columns: how to read plain columns.

    version, code: what a CGGTTS file is rewritten as ("" as it is), and the code of its tracks, see `convert_cggtts`.
    """

    leaps: LeapTable | None = None
    clocks: tuple[str, ...] | None = None
    columns: ColumnOptions | None = None
    version: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """leaps: for epochs in UTC. tags: of plain columns, mjd or seconds. time_system: of RINEX clock files."""

    leaps: LeapTable | None = None
    tags: str = "mjd"
    time_system: str = "GPS"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    fits: tells from the first `HEAD_BYTES`. read: gives readings (None: it has none, `holds` says what it has and
    `instead` what reads it). write: gives the pieces of a file that holds readings. rewrite: reads a file and
    writes it anew from what was read. pieces: gives a reader that is fed piece by piece, for files too long to be
    held. loses: what of readings it cannot hold.
    """

    key: str
    title: str
    fits: Callable[[bytes], bool]
    read: Callable[[bytes, str, ReadOptions], Parsed] | None = None
    holds: str = ""
    instead: str = ""
    write: Callable[[Readings, WriteOptions], Iterable[bytes]] | None = None
    rewrite: Callable[[bytes, str, ReadOptions], tuple[bytes, list[Defect]]] | None = None
    pieces: Callable[[str, ReadOptions], ColumnsReader] | None = None
    loses: str = ""


def _circular_t(data: bytes, name: str, options: ReadOptions) -> Parsed:
    bulletin = read_circular_t(data, name, options.leaps)
    return Parsed(bulletin.readings(), list(bulletin.defects), "circular-t")


def _utcr(data: bytes, name: str, options: ReadOptions) -> Parsed:
    bulletin = read_utcr(data, name, options.leaps)
    return Parsed(bulletin.readings(), list(bulletin.defects), "utcr")


def _rinex_clock(data: bytes, name: str, options: ReadOptions) -> Parsed:
    return parse_rinex_clock(data, name, options.leaps, options.clocks)


def _tempo2(data: bytes, name: str, options: ReadOptions) -> Parsed:
    if options.columns is not None:  # whoever says how the columns are means the figures as they stand
        return parse_columns(data, name, options.columns, options.leaps)
    return parse_tempo2_clock(data, name, options.leaps)


def _write_tempo2(readings: Readings, options: WriteOptions) -> Iterable[bytes]:
    if options.leaps is None:
        raise WriteError("epochs in UTC need a leap second table")
    return write_tempo2_clock(readings, options.leaps)


def _timelab(data: bytes, name: str, options: ReadOptions) -> Parsed:
    asked = options.columns or ColumnOptions()
    channel = asked.value_column or 0
    return timelab.parse_timelab(data, name, tau0_s=asked.tau0_s, start_ns=asked.start_ns or 0, channel=channel)


def _rewrite_cggtts(data: bytes, name: str, options: ReadOptions) -> tuple[bytes, list[Defect]]:
    cggtts = read_cggtts(data, name, options.leaps)
    changed = convert_cggtts(cggtts, options.version, options.code) if options.version else cggtts
    return write_cggtts(changed), list(cggtts.defects)


def _rewrite_itu_tw(data: bytes, name: str, options: ReadOptions) -> tuple[bytes, list[Defect]]:
    if options.leaps is None:
        raise WriteError("epochs in UTC need a leap second table")
    two_way = read_itu_tw(data, name, options.leaps)
    return write_itu_tw(two_way), list(two_way.defects)


def _tfex(data: bytes, name: str, options: ReadOptions) -> Parsed:
    tfex = read_tfex(data, name, options.leaps)
    return Parsed(tfex.readings(), list(tfex.defects), "tfex")


def _bipm_clocks(data: bytes, name: str, options: ReadOptions) -> Parsed:
    if options.leaps is None:
        raise whole_file_error(name, "MJD", "dates in UTC need a leap second table")
    clocks = read_bipm_clocks(data, name)
    return Parsed(clocks.readings(options.leaps), list(clocks.defects), "bipm-clocks")


def _rewrite_bipm_clocks(data: bytes, name: str, _: ReadOptions) -> tuple[bytes, list[Defect]]:
    clocks = read_bipm_clocks(data, name)
    return write_bipm_clocks(clocks), list(clocks.defects)


def _rewrite_tau(data: bytes, name: str, _: ReadOptions) -> tuple[bytes, list[Defect]]:
    table = stable32_tau.read_stable32_tau(data, name)
    return stable32_tau.write_stable32_tau(table), list(table.defects)


def _is_columns(head: bytes) -> bool:
    cut = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    return b"\0" not in head and looks_like_columns(cut.decode("latin-1"))


def _log(key: str, title: str, of: Callable[[bytes], str | None], parse: Callable[..., Parsed]) -> Kind:
    return Kind(
        key,
        title,
        fits=lambda head: of(head) == key,
        read=lambda data, name, options: parse(data, name, options.leaps, key),
    )


_TABLE = (
    Kind(
        "rinex-clock",
        "RINEX clock (2 to 3.04)",
        is_rinex_clock,
        _rinex_clock,
        write=lambda readings, options: [write_rinex_clock(readings, options.time_system, options.leaps)],
        loses="digits beyond the thirteenth",
    ),
    Kind("circular-t", "Circular T", is_circular_t, _circular_t),
    Kind("utcr", "UTCr", is_utcr, _utcr),
    Kind("leap-seconds", "leap second tables", is_leap_seconds, holds="a leap second table"),
    Kind("psfs", "reports of frequency standards", is_psfs, holds="a table of frequency standards"),
    Kind(
        "cggtts",
        "CGGTTS (01, 02, 2E)",
        is_cggtts,
        holds="a file of satellite tracks",
        instead=LINK,
        rewrite=_rewrite_cggtts,
    ),
    Kind(
        "itu-tw",
        "two-way files (ITU-R TF.1153)",
        is_itu_tw,
        holds="a file of two-way sessions",
        instead=LINK,
        rewrite=_rewrite_itu_tw,
    ),
    Kind(
        "tfex",
        "TFEX",
        is_tfex,
        _tfex,
        write=lambda readings, options: [write_tfex_readings(readings, options.leaps)],
        loses="digits below a femtosecond",
    ),
    Kind("bipm-clocks", "clock files for the BIPM", is_bipm_clocks, _bipm_clocks, rewrite=_rewrite_bipm_clocks),
    Kind("bipm-table", "the BIPM's tables of clocks", is_bipm_table, holds="a table of clocks in TAI"),
    Kind(
        "tempo2",
        "tempo2 clock files",
        is_tempo2_clock,
        _tempo2,
        write=_write_tempo2,
        loses="uncertainties",
    ),
    *(
        _log(key, f"chronyd's {key.removeprefix('chrony-')}.log", chrony.chrony_kind, chrony.parse_chrony)
        for key in chrony.CHRONY_LOGS
    ),
    *(_log(key, f"ntpd's {key.removeprefix('ntpd-')}", ntpd.ntpd_kind, ntpd.parse_ntpd) for key in ntpd.NTPD_FILES),
    Kind("timelab", "TimeLab's .tim", timelab.is_timelab, _timelab),
    Kind(
        "stable32-tau",
        "Stable32's tables of deviations",
        stable32_tau.is_stable32_tau,
        holds="a table of deviations",
        rewrite=_rewrite_tau,
    ),
    Kind(
        "stable32",
        "Stable32 data files",
        stable32.is_stable32,
        lambda data, name, options: stable32.parse_stable32(data, name, options.columns, options.leaps),
        write=lambda readings, _: stable32.write_stable32(readings),
        pieces=lambda name, options: stable32.stable32_reader(name, options.columns, options.leaps),
        loses="uncertainties",
    ),
    Kind(
        "columns",
        "plain columns of phase or frequency",
        _is_columns,
        lambda data, name, options: parse_columns(data, name, options.columns, options.leaps),
        write=lambda readings, options: column_pieces(readings, options.tags),
        pieces=lambda name, options: ColumnsReader(name, options.columns, options.leaps),
    ),
)
KINDS = {kind.key: kind for kind in _TABLE}
KNOWN = ", ".join(kind.title for kind in _TABLE)
WRITTEN = tuple(kind.key for kind in _TABLE if kind.write is not None or kind.rewrite is not None)
