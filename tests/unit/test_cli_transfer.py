"""`timeball transfer`: files in, a verdict and reasons out, and readings that other commands take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball.cli.root import run
from timeball.cli.scale import read_table

Find = Callable[[str], Path]
GMRX = "groundstate-time-transfer-tools"


@pytest.fixture
def pair(shared: Find) -> list[str]:
    return [str(shared(f"{GMRX}/{name}")) for name in ("GMRX0157.607", "GMRX0257.607")]


def test_the_document_has_mean_u_n_and_every_rejected_track(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["transfer", "common-view", *pair, "--weights", "equal", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["mean_s"] * 1e9 == pytest.approx(-17.0183, abs=1e-4)
    assert document["n"] == 699
    assert document["u_s"] == document["u_a_s"]
    assert (document["u_b_s"], document["calibrated"]) == (None, False)
    assert (document["a"], document["b"]) == ("UTC(AUS)", "352269")
    assert len(document["rejected"]) == sum(document["reasons"].values()) == 123
    short = next(each for each in document["rejected"] if each["reason"] == "shorter than 750 s")
    line = Path(short["file"]).read_text(encoding="latin-1").splitlines()[short["line"] - 1]
    assert line.split()[4] == short["value"].split()[0]
    assert len(document["epochs"]) == 89
    assert sum(each["n"] for each in document["epochs"]) == 699


def test_people_read_a_verdict_and_the_reasons(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transfer", "all-in-view", *pair]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^UTC\(AUS\) − 352269 = −17\.47 ns ± 0\.\d\d ns \(k = 1\) by all in view: uA alone", out)
    assert re.search(r"^shorter than 750 s +27$", out, re.MULTILINE)
    assert "TRVL: delays of the header, no calibration named." in out


def test_a_table_of_calibrations_moves_the_link_and_gives_its_uncertainty(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.toml"
    entry = '[[calibration]]\nlab = "{}"\nfrom_mjd = {}\nu_ns = {}\nageing_ns_per_year = {}\n{}\n'
    table.write_text(
        entry.format("TRVL", 57600, 1.5, 0.0, "internal_ns = {'GPS C1' = 20.0}\ncable_ns = 172.9")
        + entry.format("NML Australia", 57607 - 731, 2.0, 0.5, "")
    )
    arguments = ["transfer", "common-view", *pair, "--json"]
    assert run(arguments) == 0
    before = json.loads(capsys.readouterr().out)
    assert run([*arguments, "--calibration", str(table)]) == 0
    after = json.loads(capsys.readouterr().out)
    assert (after["mean_s"] - before["mean_s"]) * 1e9 == pytest.approx(-20.0, abs=1e-6)  # INT DLY of the file is 0
    assert after["u_b_s"] * 1e9 == pytest.approx((1.5**2 + 2.0**2 + (0.5 * 731 / 365.25) ** 2) ** 0.5)
    assert after["u_s"] == pytest.approx((after["u_a_s"] ** 2 + after["u_b_s"] ** 2) ** 0.5)
    assert any("731 days old, u 2.24 ns" in note for note in after["notes"])


def test_a_link_at_the_clocks_own_epochs_enters_the_ensemble(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two clocks at each station and the link between: one scale of four, tied together by the link alone."""
    rng = np.random.default_rng(4)
    hours = 57607 + (np.arange(1, 24) + 0.25) / 24
    files, of_a1 = [], []
    for station, clocks in (("UTC(AUS)", ("A1", "A2")), ("352269", ("B1", "B2"))):
        for clock in clocks:
            path = tmp_path / f"{clock}.txt"
            phases = np.cumsum(rng.normal(0.0, 1e-10, hours.size))
            rows = "".join(f"{day:.9f} {x!r}\n" for day, x in zip(hours.tolist(), phases.tolist(), strict=True))
            path.write_text(f"# clock = {clock}\n# reference = {station}\n{rows}")
            files.append(str(path))
            of_a1 = of_a1 or phases.tolist()
    link = tmp_path / "link.txt"
    assert run(["transfer", "common-view", *pair, "--at", files[0], "--out", str(link), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    # the table that `timeball scale` works on: without the link the two stations do not hang together
    apart, _ = read_table([Path(file) for file in files], None, None)
    assert max(np.isfinite(row).sum() for row in apart.x) < 5
    table, _ = read_table([Path(file) for file in (*files, str(link))], None, None)
    assert set(table.clocks) == {"A1", "A2", "B1", "B2", "352269"}
    assert np.isfinite(table.x).all()
    assert table.epochs.size == len(document["epochs"]) == hours.size
    across = table.x[:, table.clocks.index("A1")] - table.x[:, table.clocks.index("352269")]
    assert across == pytest.approx([own + each["x_s"] for own, each in zip(of_a1, document["epochs"], strict=True)])


def test_smoothed_on_a_grid_of_utc(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "link.txt"
    for method in ("vondrak", "kalman"):
        arguments = ["--smooth", method, "--every", "3600", "--out", str(out), "--json"]
        assert run(["transfer", "common-view", *pair, *arguments]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["mean_s"] * 1e9 == pytest.approx(-17.612, abs=1e-3)  # of what was measured
        epochs = [int(each["tai_ns"]) for each in document["epochs"]]
        assert {(epoch // 10**9 - 36) % 3600 for epoch in epochs} == {0}  # TAI − UTC was 36 s
        assert len(epochs) == 23
        assert all(abs(each["x_s"] - document["mean_s"]) < 3e-9 for each in document["epochs"])
        tags = [line.split() for line in out.read_text().splitlines() if not line.startswith("#")]
        assert [float(tag[1]) for tag in tags] == [each["x_s"] for each in document["epochs"]]


def test_closures_of_links_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, a, b, x in (("ab", "A", "B", 5e-9), ("bc", "B", "C", -2e-9), ("ca", "C", "A", -2.5e-9)):
        rows = "".join(f"{60000 + k} {x!r} 1e-10\n" for k in range(5))
        (tmp_path / f"{name}.txt").write_text(f"# clock = {a}\n# reference = {b}\n# u_column = 2\n{rows}")
    files = [str(tmp_path / f"{name}.txt") for name in ("ab", "bc", "ca")]
    assert run(["transfer", "closure", *files, "--json"]) == 0
    (triangle,) = json.loads(capsys.readouterr().out)["triangles"]
    assert triangle["mean_s"] == pytest.approx(0.5e-9)
    assert (triangle["n"], triangle["clocks"]) == (5, ["A", "B", "C"])
    assert run(["transfer", "closure", *files]) == 0
    assert re.search(r"A → B → C +0\.500 +0\.000 +0\.500 +0\.173 +5", capsys.readouterr().out)
    assert run(["transfer", "closure", *files[:2]]) == 1


def test_wrong_use_is_one_clear_sentence(
    pair: list[str], shared: Find, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ugr = [str(shared(f"pycggtts-ugr/data/dual/{name}")) for name in ("EZUG0060.600", "GZUG0060.600")]
    empty = tmp_path / "empty"
    empty.mkdir()
    words = tmp_path / "words.txt"
    words.write_text("no tracks here\n")
    for arguments, said in (
        ([*pair, "--every", "60", "--at", pair[0]], "choose one"),
        ([*pair, "--names", "A"], "two different names"),
        ([*pair, "--calibration", str(words)], "not TOML"),
        ([*pair, "--at", str(words)], "words.txt"),
        ([pair[0], str(tmp_path / "none*")], "no such file or folder, and as a pattern it fits none"),
        ([pair[0], str(empty)], "empty: no CGGTTS file in it"),
        ([pair[0], str(words)], "words.txt"),
        ([*pair, "--out", str(tmp_path / "no" / "link.txt")], "cannot be written"),
        (ugr, "have no track in common"),
    ):
        assert run(["transfer", "common-view", *arguments]) == 1
        error = capsys.readouterr().err
        assert said in error, error
        assert "Traceback" not in error


def test_two_way_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for local, remote, sign in (("TBL01", "PTB05", 1), ("PTB05", "TBL01", -1)):
        rows = "".join(
            f" {local}  {remote} 23 61140 {hour:02d}1600 119 {0.26 + sign * 42e-9:+.12f} 0.500 119 118"
            f" +0.000000300000 0.050 618 1 {sign * 16.9:+9.3f}     0.000 0.300  21  45 1013\n"
            for hour in range(12)
        )
        head = f"* TW{local}\n* FORMAT    01\n* LAB       {local[:3]}\n* ES {local}\n"
        head += "* CAL   618 TYPE: PORT ES REL  MJD: 61000 EST. UNCERT.:  0.800 ns\n*\n"
        (tmp_path / f"tw{local}").write_text(head + rows)
    files = [str(tmp_path / "twTBL01"), str(tmp_path / "twPTB05")]
    assert run(["transfer", "two-way", *files, "--names", "UTC(TB),UTC(PTB)", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["mean_s"] * 1e9 == pytest.approx(42.0 + 16.9, abs=1e-3)
    assert (document["u_b_s"], document["n"], document["rejected"]) == (pytest.approx(0.8e-9), 12, [])
    assert run(["transfer", "two-way", *files, "--plot", str(tmp_path / "tw.svg")]) == 0
    assert "uB 0.80 ns" in capsys.readouterr().out
    assert (tmp_path / "tw.svg").read_text().count("<svg") == 1


def test_a_folder_of_days_with_other_files_in_it(
    shared: Find, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two days, one line with a wrong checksum; the same receiver is the other end, so the link is nothing."""
    folder = tmp_path / "javad"
    folder.mkdir()
    (folder / "README").write_text("what is in this folder\n")
    for day in (57490, 57491):
        data = shared(f"openttp-validation/javad.{day}.cctf").read_bytes()
        (folder / f"{day}.cctf").write_bytes(data.replace(b" 44\n", b" 45\n", 1) if day == 57490 else data)
    pattern = str(shared("openttp-validation/javad.57490.cctf").parent / "javad.*")
    assert run(["transfer", "common-view", str(folder), pattern, "--names", "A,B", "--json"]) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["mean_s"], document["spread_s"], document["rejected_lines"]) == (0.0, 0.0, 1)
    assert document["reasons"]["not observed by A"] == 1
    assert [(Path(each["file"]).name, each["line"]) for each in document["defects"]] == [("57490.cctf", 20)]
    assert "README is no CGGTTS file" in told.err
    assert "left out: " in told.err
