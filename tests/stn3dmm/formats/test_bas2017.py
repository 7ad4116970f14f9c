"""The authors' files: conventions converted on reading, damage reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from stn3dmm.formats import bas2017


def anl(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines() if line.strip() and not line.startswith("%")]


def test_landmark_indices_equal_the_published_lists(real_data):
    folder = real_data / "bas2017" / "landmarks"
    assert [k + 1 for k in bas2017.AFLW21_INDICES] == anl(folder / "Landmarks21_112.anl")
    assert [k + 1 for k in bas2017.IBUG68_INDICES] == anl(folder / "Landmarks68_112.anl")


def test_real_model_conventions(basel):
    """Millimetres, x right, y up, z forward; row 0 at the forehead, column 0 at the image's left."""
    grid = basel.mean.reshape(112, 112, 3)
    assert basel.mode_count == 10
    assert 150 < np.ptp(basel.mean[:, 0]) < 200  # a face is 178 mm wide here, 211 mm high
    assert grid[0, :, 1].mean() > 60 > -60 > grid[-1, :, 1].mean()
    assert grid[:, 0, 0].mean() < -50 < 50 < grid[:, -1, 0].mean()
    nose_tip = basel.mean[basel.landmarks["ibug68"][30]]
    assert nose_tip[2] > np.quantile(basel.mean[:, 2], 0.99)
    mirrored = grid[:, ::-1] * (-1, 1, 1)
    assert np.abs(mirrored - grid).max() < 6
    brows, mouth = (basel.mean[basel.landmarks["aflw21"][part], 1].mean() for part in (slice(0, 6), slice(17, 20)))
    assert brows > mouth


def test_read_model_lays_out_vertices_by_hand(model_mat):
    content = scipy.io.loadmat(model_mat)
    model = bas2017.read_model(model_mat)
    assert model.mean[5].tolist() == pytest.approx(content["shapeMU"][15:18, 0].tolist(), rel=1e-6)
    assert model.basis[2, 7].tolist() == pytest.approx(content["shapePC"][21:24, 2].tolist(), rel=1e-6)
    assert model.mode_names[0] == "identity/1"
    assert model.mode_names[9] == "expression/5"


def test_read_demodata_by_hand(demodata_mat):
    content = scipy.io.loadmat(demodata_mat)
    data = bas2017.read_demodata(demodata_mat)
    assert data.images.shape == (2, 224, 224, 3)
    assert data.images[1, 10, 20].tolist() == np.rint(content["Images"][10, 20, :, 1]).tolist()
    x, y = content["Labels"][0, :, 5, 1]
    assert data.landmarks[1, 5].tolist() == pytest.approx([x - 1, 224 - y])
    assert data.visible.sum() == 41
    assert not data.visible[0, 3]
    assert np.isnan(data.landmarks[0, 3]).all()


def test_real_demodata(real_data):
    data = bas2017.read_demodata(real_data / "bas2017" / "demodata.mat")
    assert data.images.shape == (6, 224, 224, 3)
    assert data.visible.all()
    assert (data.landmarks[:, 0:6, 1].mean(axis=1) < data.landmarks[:, 20, 1]).all()  # brows above the chin


@pytest.mark.parametrize("read", [bas2017.read_model, bas2017.read_demodata])
def test_readers_reject(read, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "nothing.mat")
    text = tmp_path / "text.mat"
    text.write_text("no MATLAB file at all, but long enough to hold a header\n" * 10)
    with pytest.raises(ValueError, match="not a readable MATLAB file"):
        read(text)
    other = tmp_path / "other.mat"
    scipy.io.savemat(other, {"something": np.zeros(3)})
    with pytest.raises(ValueError, match="something"):
        read(other)


def test_read_model_rejects_another_grid_and_nan(model_mat):
    content = {name: value for name, value in scipy.io.loadmat(model_mat).items() if not name.startswith("__")}
    scipy.io.savemat(model_mat, content | {"shapeMU": content["shapeMU"][:300]})
    with pytest.raises(ValueError, match="112 x 112"):
        bas2017.read_model(model_mat)
    content["shapeMU"][4] = np.nan
    scipy.io.savemat(model_mat, content)
    with pytest.raises(ValueError, match="NaN"):
        bas2017.read_model(model_mat)


def test_truncated_file(model_mat):
    model_mat.write_bytes(model_mat.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a readable MATLAB file"):
        bas2017.read_model(model_mat)


def test_read_demodata_rejects_other_counts(demodata_mat):
    content = {name: value for name, value in scipy.io.loadmat(demodata_mat).items() if not name.startswith("__")}
    scipy.io.savemat(demodata_mat, content | {"Labels": content["Labels"][..., :1]})
    with pytest.raises(ValueError, match="Labels must be"):
        bas2017.read_demodata(demodata_mat)


def test_convert_authors_theta_rejects():
    with pytest.raises(ValueError, match="6 \\+ K"):
        bas2017.convert_authors_theta([1.0, 2.0])
