"""The host's counter as a clock: PPS, NTP and the simulated capture; x = (RAW + anchor) − output time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from timeball.instants import LeapTable
from timeball.integrity.host_counter import fit_counter
from timeball.protocols.ntp.packet import ServerState, build_reply, ntp_timestamp, unsynchronised
from timeball.station.actuators.simulated import SimulatedStepper
from timeball.station.configuration.settings import Config, History, HostInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.instruments import host
from timeball.station.instruments.base import InstrumentUnavailableError, Sample
from timeball.station.instruments.host import NTPCapture, PHCCapture, PPSCapture, SimulatedCapture, boot_anchor
from timeball.station.instruments.ntpclient import ask_server
from timeball.station.instruments.simulated import open_simulation
from timeball.station.paths import stepper_record
from timeball.steering.stepper import StepperCommand

S = 10**9
LEAPS = LeapTable.from_offsets([(16617, 36), (17167, 37)], None, "test")
CONFIG = Config(history=History(days=0.01))
TAI = 1_800_000_000 * S


class FakeClocks:
    """RAW and REALTIME as a test says; waiting moves RAW."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.raw, self.realtime_minus_raw = 5000 * S, 1_790_000_000 * S
        monkeypatch.setattr(hostclocks, "raw_ns", lambda: self.raw)
        monkeypatch.setattr(hostclocks, "realtime_ns", lambda: self.raw + self.realtime_minus_raw)
        monkeypatch.setattr(host, "wait_until_raw", lambda until: setattr(self, "raw", max(self.raw, until)))


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> FakeClocks:
    return FakeClocks(monkeypatch)


class PPS:
    """A PPS device as sysfs shows it."""

    def __init__(self, folder: Path, clocks: FakeClocks) -> None:
        self.device, self._clocks, self._sequence = folder / "pps0", clocks, 0
        self.device.mkdir()
        self.write("0.000000000#0")

    def write(self, text: str) -> None:
        (self.device / "assert").write_text(text + "\n")

    def pulse(self, late_ns: int = 0) -> None:
        """A pulse now, stamped `late_ns` late."""
        self._sequence += 1
        seconds, ns = divmod(self._clocks.raw + self._clocks.realtime_minus_raw + late_ns, S)
        self.write(f"{seconds}.{ns:09d}#{self._sequence}")

    def settings(self) -> HostInstrument:
        return HostInstrument(by="pps", device=str(self.device))


def test_a_pulse_stands_for_its_second(tmp_path: Path, clocks: FakeClocks) -> None:
    """The counter starts 0.2 s ahead of the output and runs 100 ppm fast; x tells both, the seconds are whole."""
    pps = PPS(tmp_path, clocks)
    start = clocks.raw
    capture = PPSCapture(pps.settings(), tmp_path, TAI + 200_000_000, start)
    capture.open()
    seen: list[Sample] = []
    for second in range(1, 20_001, 500):
        clocks.raw = start + second * S + second * 100_000
        pps.pulse()
        seen += capture.read(clocks.raw)
    assert capture.faults.count == 0
    assert [sample.epoch for sample in seen] == [TAI + second * S for second in range(501, 20_001, 500)]
    assert seen[0].x_fs == (200_000_000 + 501 * 100_000) * 10**6
    line = fit_counter(
        np.array([s.epoch for s in seen]), np.array([s.x_fs / 1e15 for s in seen]), capture.anchor_ns, 1e-9
    )
    assert abs(line.rate + 1e-4) < 2e-8


def test_drift_beyond_half_a_second_loses_no_second(tmp_path: Path, clocks: FakeClocks) -> None:
    pps = PPS(tmp_path, clocks)
    start = clocks.raw
    capture = PPSCapture(pps.settings(), tmp_path, TAI, start)
    capture.open()
    last = None
    for second in range(0, 40_000, 1000):
        clocks.raw = start + second * S + second * 50_000
        pps.pulse()
        for sample in capture.read(clocks.raw):
            last = sample
    assert last is not None
    assert last.epoch == TAI + 39_000 * S
    assert last.x_fs == 39_000 * 50_000 * 10**6


def test_one_pulse_is_read_once(tmp_path: Path, clocks: FakeClocks) -> None:
    pps = PPS(tmp_path, clocks)
    capture = PPSCapture(pps.settings(), tmp_path, TAI, clocks.raw)
    pps.pulse()
    assert capture.read(clocks.raw) == []
    clocks.raw += S
    pps.pulse()
    assert len(capture.read(clocks.raw)) == 1
    assert capture.read(clocks.raw + S // 2) == []


def test_a_pulse_beside_a_step_of_realtime_is_left_out(tmp_path: Path, clocks: FakeClocks) -> None:
    pps = PPS(tmp_path, clocks)
    capture = PPSCapture(pps.settings(), tmp_path, TAI, clocks.raw)
    pps.pulse()
    capture.read(clocks.raw)
    clocks.raw += S
    pps.pulse()
    clocks.realtime_minus_raw -= 365 * 86400 * S
    assert capture.read(clocks.raw) == []
    assert "was stepped" in capture.faults.take()[0]
    clocks.raw += S
    pps.pulse()
    (sample,) = capture.read(clocks.raw)
    assert (sample.epoch, sample.x_fs) == (TAI + 2 * S, 0)


def test_rubbish_from_the_device_is_a_fault(tmp_path: Path, clocks: FakeClocks) -> None:
    pps = PPS(tmp_path, clocks)
    capture = PPSCapture(pps.settings(), tmp_path, TAI, clocks.raw)
    pps.write("no pulses here")
    assert capture.read(clocks.raw) == []
    (pps.device / "assert").unlink()
    assert capture.read(clocks.raw) == []
    assert capture.faults.count == 2


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for by, kind in (("pps", PPSCapture), ("phc", PHCCapture)):
        settings = HostInstrument(by=by, device=str(tmp_path / "none"))
        with pytest.raises(InstrumentUnavailableError, match="none"):
            kind(settings, tmp_path, TAI, 0).open()


def test_a_file_that_is_no_clock_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ptp0"
    file.touch()
    with pytest.raises(InstrumentUnavailableError, match="ptp0"):
        PHCCapture(HostInstrument(by="phc", device=str(file)), tmp_path, TAI, 0).open()


def test_a_hardware_clock_is_read_between_two_of_raw(
    tmp_path: Path, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device is faked at the one system call; its clock runs 7 µs ahead of RAW + anchor."""
    asked: list[int] = []

    def gettime(clock: int) -> int:
        asked.append(clock)
        return TAI + clocks.raw + 7_000

    file = tmp_path / "ptp0"
    file.touch()
    monkeypatch.setattr(host.time, "clock_gettime_ns", gettime)
    capture = PHCCapture(HostInstrument(by="phc", device=str(file)), tmp_path, TAI + clocks.raw, clocks.raw)
    capture.open()
    assert capture.read(clocks.raw + S // 2) == []
    (sample,) = capture.read(clocks.raw + 2 * S)
    assert sample.x_fs == -7_000 * 10**6
    assert sample.epoch == TAI + clocks.raw + 7_000
    descriptor = ~(asked[0] >> 3)
    assert descriptor >= 0
    assert asked[0] & 7 == 3
    capture.close()
    capture.close()


def test_the_anchor_is_fixed_for_a_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert boot_anchor(tmp_path, TAI, 1000) == TAI - 1000
    assert boot_anchor(tmp_path, TAI + 5 * S, 1000) == TAI - 1000
    monkeypatch.setattr(hostclocks, "boot_name", lambda: "another boot")
    assert boot_anchor(tmp_path, TAI + 5 * S, 1000) == TAI + 5 * S - 1000


# --- NTP over loopback ----------------------------------------------------------------------------------------------


@contextmanager
def ntp_server(ahead_s: float, *, in_sync: bool = True) -> Iterator[str]:
    """A server on loopback whose TAI is RAW + `TAI` + `ahead_s`; answers until the context ends."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    state = ServerState(0, 1, -20, 0.0, 1e-6, 0, 0) if in_sync else unsynchronised(-20)

    def stamp() -> int:
        return ntp_timestamp(TAI + hostclocks.raw_ns() + round(ahead_s * S), 0, 37)

    def serve() -> None:
        while True:
            data, sender = sock.recvfrom(512)
            if data == b"stop":
                return
            received = stamp()
            sock.sendto(build_reply(data, state, received, stamp()), sender)

    thread = threading.Thread(target=serve)
    thread.start()
    address = sock.getsockname()
    try:
        yield f"127.0.0.1:{address[1]}"
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"stop", address)
        thread.join()
        sock.close()


def test_a_server_tells_tai_at_a_reading_of_raw() -> None:
    with ntp_server(0.25) as address:
        told = ask_server(address, LEAPS)
    error_s = (told.tai_ns - told.raw_ns - TAI) / S - 0.25
    assert abs(error_s) <= told.delay_s / 2 + 1e-8
    assert told.root_distance_s >= 1e-6


def test_the_counter_is_read_against_a_server(tmp_path: Path) -> None:
    raw = hostclocks.raw_ns()
    with ntp_server(0.25) as address:
        capture = NTPCapture(HostInstrument(by="ntp", device=address), tmp_path, TAI + raw, raw, LEAPS)
        capture.open()
        (sample,) = capture.read(hostclocks.raw_ns() + S)
    assert sample.u_fs is not None
    assert abs(sample.x_fs / 1e15 + 0.25) <= sample.u_fs / 1e15
    assert (sample.a, sample.b) == ("HOST", "OUT")


def test_a_server_out_of_sync_gives_no_reading(tmp_path: Path) -> None:
    raw = hostclocks.raw_ns()
    with ntp_server(0.0, in_sync=False) as address:
        capture = NTPCapture(HostInstrument(by="ntp", device=address), tmp_path, TAI + raw, raw, LEAPS)
        assert capture.read(hostclocks.raw_ns() + S) == []
    assert "in sync" in capture.faults.take()[0]


# --- the simulated output -------------------------------------------------------------------------------------------


def test_the_simulated_pulse_shows_the_output_and_its_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = open_simulation(tmp_path, CONFIG)
    clocks = FakeClocks(monkeypatch)
    clocks.raw = simulation.anchor.raw_ns
    capture = SimulatedCapture(HostInstrument(), simulation)
    capture.open()
    clocks.raw += 300 * S
    samples = capture.read(clocks.raw)
    assert len(samples) == 300
    assert all(sample.epoch % S == 0 for sample in samples)
    x = np.array([sample.x_fs for sample in samples]) / 1e15
    assert 1e-7 < float(np.std(x)) < 4e-7
    assert abs(float(np.mean(x)) + simulation.output_phase_s(samples[150].epoch)) < 5 * 2e-7 / 300**0.5
    assert capture.anchor_ns + simulation.anchor.raw_ns == simulation.anchor.tai_ns


def test_a_step_of_the_output_shows_in_the_counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = msgspec.structs.replace(CONFIG, simulation=msgspec.structs.replace(CONFIG.simulation, host_noise_s=0.0))
    simulation = open_simulation(tmp_path, quiet)
    clocks = FakeClocks(monkeypatch)
    clocks.raw = simulation.anchor.raw_ns
    capture = SimulatedCapture(HostInstrument(), simulation)
    capture.open()
    (before,) = capture.read(clocks.raw + S)
    stepper = SimulatedStepper(stepper_record(tmp_path), 50e-9)
    stepper.apply(StepperCommand(1, simulation.tai_ns(), 0.0, 20e-9), simulation.tai_ns())
    (after,) = capture.read(clocks.raw + S)
    assert abs(after.x_fs - before.x_fs + 20_000_000) < 1000
