from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.detector import Detector, detector_path, load_detector, read_detector
from na64mu.detector.elements import Magnet
from na64mu.errors import DetectorError
from na64mu.tracking.field import field_at, field_region, field_regions
from na64mu.tracking.fieldmap import FieldMap, read_field_map

SOURCE = "inferred: for a test"


def magnet(**changes: object) -> Magnet:
    content: dict[str, object] = {
        "source": SOURCE, "name": "MS2", "spectrometer": 2, "z": 3300.0, "length": 2000.0, "field": (0.0, -0.7), "half_aperture": (250.0, 100.0),
    }  # fmt: skip
    return Magnet.model_validate(content | changes)


def table(half_length: float = 1000.0, by: float = -0.7) -> np.ndarray:
    """Rows x y z Bx By Bz [mm, T] of a field with structure in all directions, on an irregular order of a regular grid."""
    x, y, z = (
        a.ravel() for a in np.meshgrid([-100.0, 0.0, 100.0], [-50.0, 50.0], np.linspace(-half_length, half_length, 41), indexing="ij")
    )
    rows = np.column_stack([x, y, z, 1e-4 * y, by * (1.0 + 1e-4 * x), 1e-4 * y * np.sign(z)])
    return np.random.default_rng(1).permutation(rows)


def written(path: Path, rows: np.ndarray, header: str = "# x [mm] y [mm] z [mm] Bx [T] By [T] Bz [T]", delimiter: str = " ") -> Path:
    np.savetxt(path, rows, header=header, comments="", delimiter=delimiter)
    return path


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(-60.0, 60.0), st.floats(-90.0, 90.0), st.floats(1900.0, 4700.0), st.floats(0.0, 6.3))
def test_tanh_field_obeys_maxwell(x: float, y: float, z: float, angle: float) -> None:
    region = field_region(np.array([[0.7, np.cos(angle), np.sin(angle), 2300.0, 4300.0, 150.0, 5.0]]))
    e = 1e-2

    def b(*at: float) -> np.ndarray:
        return np.array(field_at(region, *at)[:3])

    d_x, d_y, d_z = ((b(x + i * e, y + j * e, z + k * e) - b(x - i * e, y - j * e, z - k * e)) / (2 * e) for i, j, k in np.eye(3))
    assert abs(d_x[0] + d_y[1] + d_z[2]) < 1e-10, "divergence"
    assert np.allclose([d_y[2] - d_z[1], d_z[0] - d_x[2], d_x[1] - d_y[0]], 0.0, atol=1e-10), "curl"
    assert np.allclose(field_at(region, x, y, z)[3:], [d_x[0], d_y[0], d_x[1], d_y[1], d_x[2], d_y[2]], atol=1e-10)


def test_tanh_field_in_the_middle_plane() -> None:
    region = field_regions((magnet(fringe=150.0),))[0]
    assert np.allclose(field_at(region, 0.0, 0.0, 3300.0)[:3], [0.0, -0.7, 0.0], atol=1e-5)
    assert field_at(region, 0.0, 0.0, 2300.0)[1] == pytest.approx(-0.35, rel=1e-10)
    z = np.linspace(region.z_in, region.z_out, 20001)
    integral = np.trapezoid([field_at(region, 0.0, 0.0, float(p))[1] for p in z], z)
    assert integral == pytest.approx(-1400.0, rel=1e-6), "the integral is that of the box"
    assert (region.z_in, region.z_out) == (1400.0, 5200.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fringe": 50.0}, "magnet MS2: a fringe of 50 mm is too short for an aperture of 100 mm along the field; give at least 71 mm"),
        ({"fringe": 150.0, "map": "b.txt"}, "it has a fringe and a map"),
        ({"map_units": ("mm", "T")}, "map_units and map_hash belong to a map, and there is none"),
        ({"map": "b.txt", "map_units": ("inch", "T")}, "map_units.0"),
        ({"fringe": -1.0}, "fringe"),
    ],
)
def test_wrong_magnets(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        magnet(**changes)


def test_map_is_interpolated_linearly(tmp_path: Path) -> None:
    grid = read_field_map(written(tmp_path / "b.txt", table()))
    region = field_region(field_map=grid)
    assert region.step == 100.0, "two spacings of 50 mm: the field hardly changes along z, so a sixteenth of its length counts"
    at = field_at(region, 30.0, -20.0, -510.0)
    assert np.allclose(at[:3], [-2e-3, -0.7 * 1.003, 2e-3], rtol=1e-12)
    assert np.allclose(at[3:], [0.0, 1e-4, -0.7e-4, 0.0, 0.0, -1e-4], atol=1e-15)
    assert field_at(region, 500.0, 0.0, 0.0)[1] == pytest.approx(-0.7 * 1.01), "beyond its border it stays"
    assert field_at(region, 0.0, 0.0, 1001.0)[:3] == (0.0, 0.0, 0.0), "beyond its ends there is none"


def test_all_formats_and_units_give_the_same_map(tmp_path: Path) -> None:
    rows = table()
    expected = read_field_map(written(tmp_path / "b.txt", rows))
    assert expected.values.shape == (3, 2, 41, 3)
    assert expected.values[0, 1, 3, 1] == pytest.approx(-0.7 * 0.99)

    gauss = rows * np.array([0.1, 0.1, 0.1, 1e4, 1e4, 1e4])
    files = [written(tmp_path / "b.csv", gauss, "x (cm), y (cm), z (cm), Bx (G), By (G), Bz (G)", ",")]
    opera = "3 2 41 2\n 1 X [METRE]\n 2 Y [METRE]\n 3 Z [METRE]\n 4 BX [TESLA]\n 5 BY [TESLA]\n 6 BZ [TESLA]\n 0"
    files.append(written(tmp_path / "b.table", rows * np.array([1e-3, 1e-3, 1e-3, 1, 1, 1]), opera))
    names = ("x", "y", "z", "Bx", "By", "Bz")
    np.savez(tmp_path / "b.npz", **{f"{n} [{'mm' if i < 3 else 'T'}]": rows[:, i] for i, n in enumerate(names)})
    files.append(tmp_path / "b.npz")
    for path in files:
        grid = read_field_map(path)
        for one, other in zip(grid, expected, strict=True):
            assert np.allclose(one, other, rtol=1e-12, atol=1e-12), path
    for i, kind in enumerate(("mktree", "mkrntuple")):
        with uproot.recreate(tmp_path / f"{i}.root") as file:
            getattr(file, kind)("field", dict.fromkeys(names, np.float64)).extend({n: rows[:, i] for i, n in enumerate(names)})
        assert np.allclose(read_field_map(tmp_path / f"{i}.root", ("mm", "kG")).values, 0.1 * expected.values), kind


def test_root_file_needs_units(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "b.root") as file:
        file["field"] = dict(zip(("x", "y", "z", "Bx", "By", "Bz"), table().T, strict=True))
    with pytest.raises(DetectorError, match=r"column x states no unit; give map_units, or write it in the header, as in 'x \[mm\]'"):
        read_field_map(tmp_path / "b.root")


def wrong(
    folder: Path, rows: np.ndarray, header: str = "x [mm] y [mm] z [mm] Bx [T] By [T] Bz [T]", units: tuple[str, str] | None = None
) -> str:
    path = written(folder / "b.txt", rows, header)
    with pytest.raises(DetectorError) as error:
        read_field_map(path, units)
    assert str(path) in str(error.value)
    return str(error.value)


def test_wrong_maps_say_what_is_wrong(tmp_path: Path) -> None:
    rows = table()
    assert "column bz is needed once; found the columns x, y, z, Bx, By, B" in wrong(
        tmp_path, rows, "x [mm] y [mm] z [mm] Bx [T] By [T] B [T]"
    )
    assert "column z has the unknown unit 'inch'; known are mm, cm, m" in wrong(
        tmp_path, rows, "x [mm] y [mm] z [inch] Bx [T] By [T] Bz [T]"
    )
    assert "column bx states no unit" in wrong(tmp_path, rows, "x [mm] y [mm] z [mm] Bx By Bz")
    assert "column bx is in T, but map_units says G" in wrong(tmp_path, rows, units=("mm", "G"))
    assert "column x is needed once; found the columns none" in wrong(tmp_path, rows, "")
    assert "245 rows for 3 x 2 x 41 points" in wrong(tmp_path, rows[1:])
    assert "is there 2 times" in wrong(tmp_path, np.concatenate([rows, rows[:1]]))
    bent = rows.copy()
    bent[bent[:, 2] == 50.0, 2] = 60.0
    assert "the grid is not regular along z: the points are 40 to 60 mm apart" in wrong(tmp_path, bent)
    assert "all points have y = 50 mm; a map needs at least two points" in wrong(tmp_path, rows[rows[:, 1] == 50.0])
    rows[7, 4] = np.nan
    assert "1 field components are not finite numbers" in wrong(tmp_path, rows)
    assert "6 columns and the header names 7" in wrong(tmp_path, table(), "x [mm] y [mm] z [mm] Bx [T] By [T] Bz [T] B [T]")
    (tmp_path / "c.txt").write_text("x [mm] y [mm] z [mm] Bx [T] By [T] Bz [T]\n0 0 0 0 0 0\n1 1 1 one 1 1\n")
    with pytest.raises(DetectorError, match="are not a table of numbers"):
        read_field_map(tmp_path / "c.txt")
    (tmp_path / "d.npz").write_bytes(b"no archive")
    with pytest.raises(DetectorError, match="cannot be read as columns x y z Bx By Bz"):
        read_field_map(tmp_path / "d.npz")
    np.savez(tmp_path / "e.npz", x=np.zeros(3), y=np.zeros(2))
    with pytest.raises(DetectorError, match="its columns differ in length"):
        read_field_map(tmp_path / "e.npz")
    with uproot.recreate(tmp_path / "f.root") as file:
        file["one"] = {"x": np.zeros(2)}
        file["two"] = {"x": np.zeros(2)}
    with pytest.raises(DetectorError, match=r"one TTree was expected, found \['one', 'two'\]"):
        read_field_map(tmp_path / "f.root")


def test_map_stands_where_its_magnet_does(tmp_path: Path) -> None:
    path = written(tmp_path / "b.txt", table())
    region = field_regions((magnet(map=path, polarity=-1, field=(0.0, -0.7), aperture_centre=(10.0, 0.0)),))[0]
    assert (region.z_in, region.z_out) == (2300.0, 4300.0)
    assert field_at(region, 10.0, 0.0, 3300.0)[1] == pytest.approx(0.7)


def test_map_that_is_not_that_of_its_magnet(tmp_path: Path) -> None:
    path = written(tmp_path / "b.txt", table())
    with pytest.raises(
        DetectorError, match=r"its integral on the axis is \(0, -1\.4\) T m, magnet MS2 has polarity x field x length = \(0, 1\.4\) T m"
    ):
        field_regions((magnet(map=path, field=(0.0, 0.7)),))


def test_neighbours_reach_into_each_other(tmp_path: Path) -> None:
    first, second = magnet(fringe=150.0), magnet(name="second", z=5800.0, fringe=150.0)
    both = field_regions((first, second))
    assert len(both) == 1
    assert (both[0].z_in, both[0].z_out, len(both[0].dipoles)) == (1400.0, 7700.0, 2)
    alone = [field_regions((m,))[0] for m in (first, second)]
    assert field_at(both[0], 0.0, 20.0, 4700.0)[2] == pytest.approx(sum(field_at(r, 0.0, 20.0, 4700.0)[2] for r in alone))
    assert len(field_regions((first, second.model_copy(update={"z": 8000.0})))) == 2
    with pytest.raises(DetectorError, match=r"a fringe field or map \(until z = 5200 mm\) reaches into second \(from z = 4800 mm\)"):
        field_regions((first, second.model_copy(update={"fringe": 0.0})))
    path = written(tmp_path / "b.txt", table())
    maps = magnet(map=path), magnet(name="second", z=4300.0, map=path)
    with pytest.raises(DetectorError, match="the field maps of MS2 and second overlap in z"):
        field_regions(maps)
    mixed = field_regions((magnet(map=path), second))
    assert len(mixed) == 1
    assert mixed[0].origin[2] == 2300.0
    steps = (2300.0 - mixed[0].z_in) / mixed[0].step
    assert steps == pytest.approx(round(steps))
    assert field_regions((magnet(),)) == (), "hard-edged boxes are crossed in closed form"


def description(folder: Path, lines: str) -> Path:
    text = detector_path("na64mu-2022").read_text(encoding="utf-8")
    old = "length = 2000.0\nfield = [0.0, -0.7]\n"
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, old + lines), encoding="utf-8")
    return path


def described(folder: Path, lines: str) -> Detector:
    return read_detector(description(folder, lines))


def test_description_with_a_map(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    written(tmp_path / "fields" / "ms2.txt", table())
    detector = described(tmp_path, 'map = "fields/ms2.txt"\n')
    ms2 = detector.magnets_of(2)[0]
    assert ms2.map == tmp_path / "fields" / "ms2.txt"
    assert len(ms2.map_hash) == 64
    assert field_at(field_regions(detector.magnets_of(2))[0], 0.0, 0.0, 3300.0)[1] == pytest.approx(-0.7)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "fields").mkdir(parents=True)
    written(elsewhere / "fields" / "ms2.txt", table())
    assert described(elsewhere, 'map = "fields/ms2.txt"\n').digest == detector.digest, "the place of the file does not count"
    written(elsewhere / "fields" / "ms2.txt", table(by=-0.701))
    assert described(elsewhere, 'map = "fields/ms2.txt"\n').digest != detector.digest, "its content does"
    with pytest.raises(DetectorError, match="has the SHA-256"):
        described(elsewhere, f'map = "fields/ms2.txt"\nmap_hash = "{ms2.map_hash}"\n')
    with pytest.raises(DetectorError, match=r"magnets\[3\]\.map: there is no file .*nothing\.txt; the path of a field map is relative"):
        described(tmp_path, 'map = "nothing.txt"\n')


def test_description_with_a_fringe(tmp_path: Path) -> None:
    detector = described(tmp_path, "fringe = 120.0\n")
    assert detector.magnets_of(2)[0].fringe == 120.0
    assert detector.digest != load_detector("na64mu-2022").digest


def test_region_of_a_uniform_map_takes_enough_steps() -> None:
    values = np.zeros((2, 2, 3, 3))
    values[..., 1] = -0.7
    region = field_region(field_map=FieldMap(np.array([-1.0, -1.0, 0.0]), np.array([2.0, 2.0, 1000.0]), values))
    assert region.step == 125.0
