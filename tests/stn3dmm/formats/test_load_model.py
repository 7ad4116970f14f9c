"""`load_model` knows a format by its content and says what it found otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import stn3dmm


def test_recognises_by_content_not_by_name(model_mat, tmp_path):
    model = stn3dmm.load_model(model_mat)
    odd = tmp_path / "model.bin"
    odd.write_bytes(model_mat.read_bytes())
    assert (stn3dmm.load_model(odd).mean == model.mean).all()
    saved = tmp_path / "saved.dat"
    model.save(saved)
    again = stn3dmm.load_model(saved)
    assert (again.basis == model.basis).all()
    assert again.mode_names == model.mode_names
    assert again.landmarks["ibug68"].tolist() == model.landmarks["ibug68"].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"PK\x03\x04broken", "a damaged zip archive"),
        (b"hello there", "it begins with b'hello there'"),
    ],
)
def test_names_what_it_read(tmp_path, content, message):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        stn3dmm.load_model(path)


def test_rejects_missing_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        stn3dmm.load_model(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="not a file"):
        stn3dmm.load_model(tmp_path)


def test_rejects_other_archives(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(ValueError, match="it lacks basis"):
        stn3dmm.load_model(path)
    np.savez(path, mean=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="not a stn3dmm model"):
        stn3dmm.load_model(path)
    scipy.io.savemat(path, {"w_exp": np.zeros(3)})
    with pytest.raises(ValueError, match="it holds w_exp"):
        stn3dmm.load_model(path)


def test_rejects_damage(model_mat, tmp_path):
    model = stn3dmm.load_model(model_mat)
    path = tmp_path / "a.npz"
    model.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        stn3dmm.load_model(path)
