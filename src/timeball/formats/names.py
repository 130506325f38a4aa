"""The names of this room, each from its module: what `timeball.formats` gives out, and imports when first asked."""

from __future__ import annotations

from timeball.formats.bulletin import LabPoints, LabValues, lab_points
from timeball.formats.chrony import read_chrony
from timeball.formats.circular_t import CircularT, read_circular_t
from timeball.formats.columns import ColumnOptions, ColumnsReader, column_pieces, parse_columns, write_columns
from timeball.formats.defects import Defect, FormatError, Parsed, WriteError
from timeball.formats.kinds import HEAD_BYTES, KINDS, KNOWN, WRITTEN, Kind, ReadOptions, WriteOptions
from timeball.formats.leap_seconds import parse_leap_seconds_list, parse_leap_table, parse_tzdata_leapseconds
from timeball.formats.logs import LogTable
from timeball.formats.ntpd import read_ntpd
from timeball.formats.psfs import read_psfs
from timeball.formats.psfs.report import PSFSReport, PSFSTable, TAIEstimate
from timeball.formats.recognition import kind_of, parse, recognise, recognise_head
from timeball.formats.rinex_clock import parse_rinex_clock
from timeball.formats.rinex_clock.writer import write_rinex_clock
from timeball.formats.stable32 import write_stable32
from timeball.formats.stable32_tau import SigmaTable, read_stable32_tau, write_stable32_tau
from timeball.formats.tempo2 import parse_tempo2_clock
from timeball.formats.tempo2_writer import write_tempo2_clock
from timeball.formats.timelab import parse_timelab
from timeball.formats.utcr import RapidUTC, read_lab_series, read_utcr

__all__ = [
    "HEAD_BYTES",
    "KINDS",
    "KNOWN",
    "WRITTEN",
    "CircularT",
    "ColumnOptions",
    "ColumnsReader",
    "Defect",
    "FormatError",
    "Kind",
    "LabPoints",
    "LabValues",
    "LogTable",
    "PSFSReport",
    "PSFSTable",
    "Parsed",
    "RapidUTC",
    "ReadOptions",
    "SigmaTable",
    "TAIEstimate",
    "WriteError",
    "WriteOptions",
    "column_pieces",
    "kind_of",
    "lab_points",
    "parse",
    "parse_columns",
    "parse_leap_seconds_list",
    "parse_leap_table",
    "parse_rinex_clock",
    "parse_tempo2_clock",
    "parse_timelab",
    "parse_tzdata_leapseconds",
    "read_chrony",
    "read_circular_t",
    "read_lab_series",
    "read_ntpd",
    "read_psfs",
    "read_stable32_tau",
    "read_utcr",
    "recognise",
    "recognise_head",
    "write_columns",
    "write_rinex_clock",
    "write_stable32",
    "write_stable32_tau",
    "write_tempo2_clock",
]
