"""VGG-Face's weights from files of each layout, written here from the layouts' descriptions, by other means."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.signal
import torch
from stn3dmm.formats.vgg_face import MEAN_COLOUR, read_vgg_face
from stn3dmm.localiser import VggFaceTrunk

WIDTHS, HIDDEN = (2, 3, 4, 5, 6), 7
LAYERS = (
    ("conv1_1", 3, 2), ("conv1_2", 2, 2), ("conv2_1", 2, 3), ("conv2_2", 3, 3),
    ("conv3_1", 3, 4), ("conv3_2", 4, 4), ("conv3_3", 4, 4), ("conv4_1", 4, 5), ("conv4_2", 5, 5), ("conv4_3", 5, 5),
    ("conv5_1", 5, 6), ("conv5_2", 6, 6), ("conv5_3", 6, 6), ("fc6", 6, 7), ("fc7", 7, 7), ("fc8", 7, 9),
)  # fmt: skip
AVERAGE = np.array([120.0, 100.0, 90.0], dtype=np.float32)


@pytest.fixture(scope="module")
def filters():
    """MatConvNet's arrays: filters (height, width, in, out) and biases (out, 1), single."""
    rng = np.random.default_rng(0)
    sides = {"fc6": 7, "fc7": 1, "fc8": 1}
    return {
        name: (
            rng.normal(0, np.sqrt(2 / (k * k * inputs)), (k, k, inputs, outputs)).astype(np.float32),
            rng.normal(0, 0.1, (outputs, 1)).astype(np.float32),
        )
        for name, inputs, outputs in LAYERS
        for k in [sides.get(name, 3)]
    }


def cell(entries):
    row = np.empty((1, len(entries)), dtype=object)
    row[0, :] = entries
    return row


def matconvnet(filters, layout="weights"):
    """The variables of vgg-face.mat: in today's form, the older one, and that of the first release."""
    layers = []
    for name, (f, b) in filters.items():
        layer = {"name": name, "type": "conv", "pad": np.zeros((1, 4)), "stride": np.ones((1, 2))}
        layer |= {"filters": f, "biases": b} if layout == "filters" else {"weights": cell([f, b])}
        layers += [layer, {"name": f"relu{name[-3:]}", "type": "relu"}]
    average = AVERAGE.reshape(1, 1, 3)
    if layout == "filters":
        image = np.broadcast_to(average, (8, 9, 3)) + np.linspace(-5, 5, 72).reshape(8, 9, 1)
        return {"layers": cell(layers), "normalization": {"averageImage": image, "imageSize": np.array([224, 224, 3])}}
    if layout == "net":
        return {"net": {"layers": cell(layers), "normalization": {"averageImage": average}}}
    meta = {"normalization": {"averageImage": average}, "classes": {"name": cell(["Aamir", "Zoe"])}}
    return {"layers": cell(layers), "meta": meta}


def pytorch(filters, name=lambda layer: layer):
    """A state dict; its fully connected weights act on the channels, rows and columns of the grid, flattened."""
    state = {}
    for layer, (f, b) in filters.items():
        weight = torch.from_numpy(f).permute(3, 2, 0, 1)
        state[f"{name(layer)}.weight"] = (weight.flatten(1) if layer.startswith("fc") else weight).contiguous()
        state[f"{name(layer)}.bias"] = torch.from_numpy(b[:, 0])
    return state


def by_hand(filters, image, average):
    """fc7 of one image (224, 224, 3) in 0..255, in NumPy, from MatConvNet's arrays in its own order of axes."""
    x = image.astype(np.float64) - average
    for name, (f, b) in filters.items():
        if name == "fc8":
            break
        if name.startswith("conv"):
            y = np.zeros((*x.shape[:2], f.shape[3]))
            for o in range(f.shape[3]):
                for i in range(f.shape[2]):
                    y[..., o] += scipy.signal.correlate2d(x[..., i], f[:, :, i, o], mode="same")
        else:
            y = np.einsum("hwi,hwio->o", x, f)[None, None]
        x = np.maximum(y + b[:, 0], 0)
        if name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"):
            rows, columns, channels = x.shape
            x = x.reshape(rows // 2, 2, columns // 2, 2, channels).max(axis=(1, 3))
    return x.reshape(-1)


def features(path, image, dtype=torch.float64):
    trunk = VggFaceTrunk(widths=WIDTHS, hidden=HIDDEN).eval()
    trunk.load(path)
    pixels = torch.from_numpy(image / 255.0).permute(2, 0, 1)[None]
    with torch.no_grad():
        return trunk.to(dtype)(pixels.to(dtype))[0].double().numpy()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 256, (224, 224, 3)).astype(np.float64)


@pytest.fixture(scope="module")
def expected(filters, image):
    values = by_hand(filters, image, AVERAGE)
    assert (values > 0).any()
    return values


@pytest.mark.parametrize("layout", ["weights", "filters", "net"])
@pytest.mark.parametrize("compressed", [True, False])
def test_matconvnet_matches_numpy(tmp_path, filters, image, expected, layout, compressed):
    path = tmp_path / "vgg-face.mat"
    scipy.io.savemat(path, matconvnet(filters, layout), do_compression=compressed)
    np.testing.assert_allclose(features(path, image), expected, rtol=1e-5, atol=1e-5 * expected.max())
    weights = read_vgg_face(path, WIDTHS, HIDDEN)
    assert weights.layout == "MatConvNet"
    torch.testing.assert_close(weights.mean, torch.from_numpy(AVERAGE))


RELEASE = np.array([129.1862793, 104.76238251, 93.59396362])  # as pytorch-models tells it, red, green, blue


def numbered(layer):
    convolutions = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    names = [name for name, _, _ in LAYERS]
    k = names.index(layer)
    return f"features.{convolutions[k]}" if k < 13 else f"classifier.{(0, 3, 6)[k - 13]}"


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [
        (lambda layer: layer, lambda state: state),
        (lambda layer: f"module.{layer}", lambda state: {"epoch": torch.tensor(3), "state_dict": state}),
        (numbered, lambda state: state),
        (lambda layer: f"module.{numbered(layer)}", lambda state: {"model": state}),
    ],
    ids=["conv1_1", "module", "features.N", "module.features.N"],
)
def test_pytorch_matches_numpy(tmp_path, filters, image, name, wrapped):
    path = tmp_path / "weights.pth"
    torch.save(wrapped(pytorch(filters, name)), path)
    expected = by_hand(filters, image, RELEASE)
    np.testing.assert_allclose(features(path, image), expected, rtol=1e-5, atol=1e-5 * expected.max())


@pytest.mark.parametrize("form", ["{}", "features.{}", "features.{}-conv"])
def test_torch_7_takes_blue_first(tmp_path, filters, image, form):
    """conv_1_1 comes from a network that sees blue, green, red: its first channel belongs to the last of ours."""

    def name(layer):
        if layer.startswith("fc"):
            return layer if form == "{}" else f"fc.{layer}"
        return form.format(f"conv_{layer[4]}_{layer[6]}")

    path = tmp_path / "vggface.pth"
    torch.save(pytorch(filters, name), path)
    expected = by_hand(filters, image[..., ::-1], RELEASE[::-1])
    np.testing.assert_allclose(features(path, image), expected, rtol=1e-5, atol=1e-5 * expected.max())
    assert "blue, green, red" in read_vgg_face(path, WIDTHS, HIDDEN).layout


def test_own_state_dict_and_convolutional_fc6(tmp_path):
    """A file of the trunk itself, and fc6 as the convolution that it is, hold the same weights."""
    trunk = VggFaceTrunk(widths=WIDTHS, hidden=HIDDEN)
    trunk.mean.copy_(torch.from_numpy(AVERAGE))
    torch.save(trunk.state_dict(), tmp_path / "own.pth")
    state = trunk.state_dict()
    state["fc6.weight"] = state["fc6.weight"].reshape(HIDDEN, WIDTHS[-1], 7, 7)
    state["fc7.weight"] = state["fc7.weight"][:, :, None, None]
    torch.save(state, tmp_path / "convolutions.pth")
    for name in ("own.pth", "convolutions.pth"):
        for key, value in read_vgg_face(tmp_path / name, WIDTHS, HIDDEN).state.items():
            assert torch.equal(value, trunk.state_dict()[key])
        assert torch.equal(read_vgg_face(tmp_path / name, WIDTHS, HIDDEN).mean, trunk.mean)


def test_missing_mean_is_that_of_the_release(tmp_path, filters):
    content = matconvnet(filters)
    del content["meta"]
    scipy.io.savemat(tmp_path / "a.mat", content)
    assert read_vgg_face(tmp_path / "a.mat", WIDTHS, HIDDEN).mean.tolist() == pytest.approx(MEAN_COLOUR)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("fc6"), r"VGG-Face \(read as MatConvNet\): fc6.weight is missing; fc6.bias is missing"),
        (lambda f: f.update(conv2_1=f["conv2_2"]), r"conv2_1.weight must be \(3, 2, 3, 3\), got \(3, 3, 3, 3\)"),
        (lambda f: f.update(fc7=(f["fc7"][0] * np.nan, f["fc7"][1])), "fc7.weight holds NaN"),
        (lambda f: f.update(conv1_1=(f["conv1_1"][0].astype(np.int8), f["conv1_1"][1])), "layer conv1_1 .* single"),
        (lambda f: f.update(conv1_1=(np.ones((3, 3, 3, 2, 2)), f["conv1_1"][1])), "layer conv1_1"),
        (lambda f: f.clear(), "conv1_1.weight is missing; .* and 27 more"),
    ],
    ids=["missing", "misshapen", "nan", "integers", "five sizes", "empty"],
)
def test_rejects_other_networks_of_matconvnet(tmp_path, filters, change, message):
    changed = dict(filters)
    change(changed)
    scipy.io.savemat(tmp_path / "a.mat", matconvnet(changed))
    with pytest.raises(ValueError, match=message) as caught:
        read_vgg_face(tmp_path / "a.mat", WIDTHS, HIDDEN)
    assert "a.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("average", "message"),
    [(np.zeros((1, 4)), "must be a colour"), ("grey", "must be a colour"), (np.full((1, 1, 3), np.nan), "finite")],
)
def test_rejects_a_mean_that_is_no_colour(tmp_path, filters, average, message):
    scipy.io.savemat(tmp_path / "a.mat", matconvnet(filters) | {"meta": {"normalization": {"averageImage": average}}})
    with pytest.raises(ValueError, match=message):
        read_vgg_face(tmp_path / "a.mat", WIDTHS, HIDDEN)


class Other:
    """Not a tensor."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1_1.weight": torch.zeros(2, 3, 3, 3)}, "conv1_1.bias is missing"),
        ({"a": torch.zeros(1)}, "conv1_1.weight is missing"),
        ({"a": 1}, "no tensors by name"),
        (torch.zeros(3), "no tensors by name"),
        (Other(), "not readable as weights of PyTorch"),
        ({f"features.{k}.weight": torch.zeros(1) for k in range(20)}, "batch normalisation"),
        ({f"features.{k}.weight": torch.zeros(1) for k in range(13)}, "conv1_1.weight must be .* got"),
        (
            {f"classifier.{k}.{part}": torch.zeros(1000, 7) for k in (0, 3, 6) for part in ("weight", "bias")},
            "torchvision:vgg16",
        ),
    ],
)
def test_rejects_other_files_of_pytorch(tmp_path, content, message):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=message) as caught:
        read_vgg_face(tmp_path / "a.pth", WIDTHS, HIDDEN)
    assert "a.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rejects_what_is_no_file_of_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="VGG-Face"):
        read_vgg_face(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="VGG-Face"):
        read_vgg_face(tmp_path / "text.pth")
    (tmp_path / "text.mat").write_text("MATLAB 5.0 MAT-file")
    with pytest.raises(ValueError, match="not a readable MATLAB file"):
        read_vgg_face(tmp_path / "text.mat")
    scipy.io.savemat(tmp_path / "numbers.mat", {"layers": np.eye(3)})
    with pytest.raises(ValueError, match=r"conv1_1.weight is missing"):
        read_vgg_face(tmp_path / "numbers.mat")
