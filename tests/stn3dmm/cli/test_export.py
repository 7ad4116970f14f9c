"""`stn3dmm export`: a fit with its photograph, a model along its modes, and what it refuses."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import stn3dmm
import trimesh
from PIL import Image

from .test_cli import complaint, run


@pytest.fixture
def fitted(portrait, tmp_path):
    """The photograph and its fit."""
    run("fit", portrait, "--output", tmp_path / "fits")
    return portrait, tmp_path / "fits" / "portrait_fit.json"


def test_export_fit_with_its_photograph(fitted, tmp_path):
    portrait, fit = fitted
    result = json.loads(run("export", fit, "--image", portrait, "-o", tmp_path / "a.ply", "--json"))
    assert result["files"] == [str(tmp_path / "a.ply")]
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    model = stn3dmm.embedded_model()
    theta = np.array(json.loads(fit.read_text())["theta"])
    np.testing.assert_allclose(mesh.vertices, model.shape(theta[6:]), atol=1e-3)
    texture, mask = stn3dmm.flatten(Image.open(portrait), model, theta)
    seen = mask.flatten().numpy() > 0.5
    expected = texture[0].reshape(3, -1).T.numpy()[seen] * 255
    np.testing.assert_allclose(mesh.visual.vertex_colors[seen, :3], expected, atol=0.51)
    # What the photograph does not show is filled, not black.
    assert mesh.visual.vertex_colors[~seen, :3].mean() > 60


def test_export_with_another_photograph_says_so(fitted, tmp_path):
    portrait, fit = fitted
    other = tmp_path / "other.png"
    other.write_bytes(portrait.read_bytes())
    said = "portrait_fit.json was made on portrait.png, and other.png gave the texture."
    assert said in run("export", fit, "--image", other, "-o", tmp_path / "a.glb")
    assert "Note" not in run("export", fit, "--image", portrait, "-o", tmp_path / "a.glb")
    result = json.loads(run("export", fit, "--image", other, "-o", tmp_path / "a.glb", "--json"))
    assert [said in note for note in result["notes"]] == [True]


def test_export_posed_is_turned(fitted, tmp_path):
    _, fit = fitted
    run("export", fit, "-o", tmp_path / "a.ply")
    run("export", fit, "--posed", "-o", tmp_path / "b.ply")
    theta = json.loads(fit.read_text())["theta"]
    from scipy.spatial.transform import Rotation

    plain, posed = (trimesh.load_mesh(tmp_path / name, process=False).vertices for name in ("a.ply", "b.ply"))
    np.testing.assert_allclose(posed, Rotation.from_rotvec(theta[:3]).apply(plain), atol=1e-3)


def test_export_model_along_modes(tmp_path):
    model = stn3dmm.embedded_model()
    name = model.mode_names[1]
    model.save(tmp_path / "m.npz")
    run("export", tmp_path / "m.npz", "--mode", f"{name}=2", "--mode", f"{name}=-0.5", "-o", tmp_path / "a.ply")
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(mesh.vertices, model.mean + 1.5 * model.basis[1], atol=1e-3)
    assert "Mean face" in run("export", "-o", tmp_path / "mean.glb")


def test_export_with_a_texture(fitted, tmp_path):
    portrait, fit = fitted
    run("flatten", portrait, "--fits", fit, "--output", tmp_path)
    run("export", fit, "--texture", tmp_path / "portrait_texture.png", "-o", tmp_path / "a.glb")
    mesh = trimesh.load_mesh(tmp_path / "a.glb", process=False)
    picture = np.asarray(Image.open(tmp_path / "portrait_texture.png"))
    np.testing.assert_array_equal(np.asarray(mesh.visual.material.baseColorTexture.convert("RGB")), picture)


def test_export_rejects(fitted, tmp_path):
    portrait, fit = fitted
    out = tmp_path / "a.glb"
    (tmp_path / "m.npz").write_bytes(b"PK\x03\x04 damaged")
    damaged = tmp_path / "b_fit.json"
    damaged.write_text("{")
    assert "--image and --texture both" in complaint("export", fit, "--image", portrait, "--texture", portrait)
    assert "need a fit" in complaint("export", "--image", portrait, "-o", out)
    assert "need a fit" in complaint("export", "--posed", "-o", out)
    assert "a flattened face of this model has 112 x 112" in complaint("export", fit, "--texture", portrait, "-o", out)
    assert "must be NAME=SIGMAS with a mode of this model" in complaint("export", "--mode", "nose", "-o", out)
    name = stn3dmm.embedded_model().mode_names[0]
    assert "needs a number" in complaint("export", "--mode", f"{name}=large", "-o", out)
    assert "a mesh is written as .glb" in complaint("export", fit, "-o", tmp_path / "a.stl")
    line = complaint("export", tmp_path / "none_fit.json", "-o", out)
    assert "none_fit.json: no such file or folder; expected a fit that 'stn3dmm fit' wrote, or a morphable" in line
    kind, _, mode = stn3dmm.embedded_model().mode_names[-1].partition("/")
    assert f", ...), perhaps {kind}/{mode}; got '{mode}=2'" in complaint("export", "--mode", f"{mode}=2", "-o", out)
    assert "perhaps" not in complaint("export", "--mode", "zzzz=2", "-o", out)
    assert "not a fit" in complaint("export", damaged, "-o", out)
    assert "m.npz" in complaint("export", tmp_path / "m.npz", "-o", out)
    assert "--model names a model too" in complaint("export", portrait, "--model", fit, "-o", out)
    assert not out.exists()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_export_beside_the_photograph_keeps_it(fitted):
    portrait, fit = fitted
    before = contents(portrait.parent)
    run("export", fit, "--image", portrait, "-o", portrait.with_suffix(".obj"))
    after = contents(portrait.parent)
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"portrait.obj", "portrait.mtl", "portrait_material.png"}


def test_export_never_overwrites_what_it_reads(fitted, dome, tmp_path):
    portrait, fit = fitted
    run("flatten", portrait, "--fits", fit, "--output", tmp_path)
    texture, mesh = tmp_path / "portrait_material.png", tmp_path / "face.obj"
    (tmp_path / "portrait_texture.png").rename(texture)
    mesh.write_bytes((dome / "mean.obj").read_bytes())
    photograph, model = tmp_path / "photograph.glb", tmp_path / "model.ply"
    photograph.write_bytes(portrait.read_bytes())  # content, not names, tells what a file is
    stn3dmm.embedded_model().save(model)
    link = tmp_path / "link.glb"
    link.symlink_to(photograph)
    before = contents(tmp_path)
    for arguments, kept in (
        ((fit, "--texture", texture, "-o", tmp_path / "portrait.obj"), texture),
        ((fit, "--image", photograph, "-o", photograph), photograph),
        ((fit, "--image", photograph, "-o", link), photograph),
        ((fit, "--model", model, "-o", model), model),
        ((mesh, "-o", mesh), mesh),
    ):
        assert f"--output would overwrite {kept}, which is read" in complaint("export", *arguments)
        assert contents(tmp_path) == before


def test_coefficients_beyond_all_numbers_are_one_sentence(tmp_path):
    name = stn3dmm.embedded_model().mode_names[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = complaint("export", "--mode", f"{name}=1e300", "-o", tmp_path / "a.glb")
    assert "alpha or rotation holds NaN or infinity" in line
