"""Compile every kernel once and leave the machine code in the cache, so that a first run does not wait for it.

`make setup` calls it. It lives through two days of the simulated laboratory in memory and throws them away; it opens
no socket and writes nothing but numba's cache.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

HOURS = 48
GENESIS_NS = 1_800_000_000 * 10**9


def main() -> None:
    """Call each room's kernels with a small input, as many rooms at once as there are processors."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        rooms = (warm_at1, warm_kalman, warm_algos, warm_server, warm_deviations, warm_roughtime, warm_ledger)
        for done in [pool.submit(warm) for warm in (*rooms, warm_recording)]:
            done.result()


def warm_at1() -> None:
    """AT1 and the detectors."""
    warm_fold("at1", anomalies=True)


def warm_kalman() -> None:
    """The Kalman scale."""
    warm_fold("kalman", anomalies=False)


def warm_algos() -> None:
    """ALGOS."""
    warm_fold("algos", anomalies=False)


def warm_fold(key: str, *, anomalies: bool) -> None:
    """The simulation, an algorithm live and over a record, the steering: two days, so that a first steer falls due."""
    from timeball.ensemble.algorithms import algorithm
    from timeball.readings import phase_table
    from timeball.simulation.defaults import default_laboratory
    from timeball.station.configuration.settings import Config, Ensemble
    from timeball.station.fold.batches import comparison_batch
    from timeball.station.fold.rules import config_payload
    from timeball.station.fold.timekeeping import Timekeeping

    laboratory = default_laboratory(1, GENESIS_NS)
    epochs = GENESIS_NS + np.arange(1, HOURS + 1, dtype=np.int64) * 3600 * 10**9
    readings = laboratory.readings(epochs, [])
    keeper = Timekeeping()
    ensemble = Ensemble(algorithm=key, anomalies=anomalies, interval_s=3600.0, algos_window_s=6 * 3600.0)
    keeper.take(0, "config", "config", config_payload(Config(ensemble=ensemble)))
    # in two parts: a state that was carried on may be laid out otherwise than one that begins
    keeper.take_readings(1, comparison_batch(readings.take(readings.epoch <= epochs[HOURS // 2])))
    keeper.take_readings(2, comparison_batch(readings))
    algorithm(key).run(phase_table(readings, None), None)


def warm_deviations() -> None:
    """Every deviation, once."""
    from timeball.stability import DEVIATIONS

    x = np.linspace(0.0, 1e-9, 64) ** 2
    for deviation in DEVIATIONS.values():
        deviation.function(x, 60.0)


def warm_server() -> None:
    """The clock page, the server's loop, and NTS in it."""
    from timeball.protocols.nts.selftest import self_test
    from timeball.protocols.nts.siv.libcrypto import FOUND
    from timeball.station.server import warm

    warm()
    if FOUND:
        self_test(os.urandom(32))


def warm_roughtime() -> None:
    """Roughtime's batches."""
    from timeball.station.roughtime import warm

    warm()


def warm_ledger() -> None:
    """The ledger's digests, and the judging of a bundle: of one that does not hold, which takes the same code."""
    from timeball.ledger import kernels
    from timeball.ledger.bundles import BundleJudge, fill_by

    data, hashes = np.zeros(8, np.uint8), np.zeros((2, 32), np.uint8)
    starts = np.arange(2, dtype=np.int64)
    kernels.hash_leaves(data, starts, starts, hashes)
    kernels.hash_frames(data, starts, starts, hashes)
    kernels.fold_pairs(hashes, hashes)
    if kernels.COMPILED:
        BundleJudge(fill_by(lambda _: b""), None, True).judge_span(range(1))


def warm_recording() -> None:
    """Files read at once; a group of entries from the check to their tiles, new and as read back from a journal."""
    from timeball.station.recording.group import Run, make_block, make_group
    from timeball.station.recording.integration import Frontier, plan_integration
    from timeball.station.recording.journal import scan_journal, write_group_head
    from timeball.station.recording.logfolder import fill_files
    from timeball.station.recording.payloadcheck import find_refused

    fill_files(Path(os.devnull).parent, ["null"], np.zeros((1, 1), np.uint8), np.zeros((1, 3), np.int64)[:, 0])
    payloads = [b"{}"]
    find_refused(payloads)
    made = make_group(0, [Run("warm", 1, 1, "warm", 1, None, 0)], payloads, bytes)
    for group in [made, *scan_journal(write_group_head(made, 0) + made.frames.tobytes())[0]]:
        plan_integration(Frontier(), make_block([group]))


if __name__ == "__main__":
    main()
