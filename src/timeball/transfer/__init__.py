"""Time transfer: the difference of two clocks that do not stand together, from satellites that both observe.

Sign: a link is x_a − x_b, clock a minus clock b, in seconds. Everything that was left out has its reason.

Pure: tracks and sessions in, links out. It does not read files, compute orbits, or process carrier phase.
"""

from timeball.transfer.all_in_view import all_in_view
from timeball.transfer.calibration import Calibration, calibration_at, read_calibrations
from timeball.transfer.common_view import Options, common_view
from timeball.transfer.errors import CalibrationError, NoLinkError, TransferError
from timeball.transfer.link import Link
from timeball.transfer.rejected import Rejected, Rejections, by_reason
from timeball.transfer.sieve import Limits
from timeball.transfer.tracks import StationTracks, join_tracks, station_tracks
from timeball.transfer.two_way import Side, TwoWayOptions, join_sessions, two_way

__all__ = [
    "Calibration",
    "CalibrationError",
    "Limits",
    "Link",
    "NoLinkError",
    "Options",
    "Rejected",
    "Rejections",
    "Side",
    "StationTracks",
    "TransferError",
    "TwoWayOptions",
    "all_in_view",
    "by_reason",
    "calibration_at",
    "common_view",
    "join_sessions",
    "join_tracks",
    "read_calibrations",
    "station_tracks",
    "two_way",
]
