"""What a localiser makes of faces, to look at: rows of a face, the worst of an evaluation, the cumulative curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from stn3dmm import drawing
from stn3dmm.data.faces import FaceSource
from stn3dmm.data.stream import FaceBatch, collate, evaluation_stream
from stn3dmm.drawing import Pixels
from stn3dmm.evaluation.evaluate import Evaluation
from stn3dmm.evaluation.metrics import cumulative_error
from stn3dmm.layout import INK, PAPER, TEXT, below, font, titled
from stn3dmm.objective import Objective

HEIGHT = 224  # pixels of a tile
SUPERSAMPLING = 3  # of the curve
CURVE_SIZE = (420, 640)  # pixels, height and width
MARGINS = (20, 20, 58, 66)  # pixels above, right, below and left of the curve's frame
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))  # Okabe and Ito's: told apart by everyone
GRID = (222, 226, 230)
OUTLINE = 150  # grey


@torch.no_grad()
def face_rows(objective: Objective, faces: FaceBatch, theta: torch.Tensor) -> list[Pixels]:
    """A row for each face: landmarks (labelled green, found red), the mesh, the texture and the mask.

    Args:
        objective: whose model theta belongs to.
        faces: B of them, on any device.
        theta: (B, 6 + K), of the crops.
    """
    theta = theta.to(objective.mean)
    warped = objective.flattened(faces.image.to(objective.mean) / 255, theta)
    points, found = objective.points(theta).cpu().numpy(), objective.landmarks(theta).cpu().numpy()
    found = np.where(objective.exists.cpu().numpy()[:, None], found, np.nan)
    rows = []
    for b in range(len(theta)):
        photograph = np.ascontiguousarray(faces.image[b].permute(1, 2, 0).cpu().numpy())
        view = drawing.whole_view(photograph, HEIGHT)
        seen = warped.mask[b, 0].flatten().cpu().numpy() > 0.5
        tiles = [
            drawing.draw_landmarks(view, *_labels(faces, b), found[b]),
            drawing.draw_mesh(view, points[b], seen, objective.grid_shape),
            drawing.texture_pixels(warped.texture[b]),
            _outlined(drawing.mask_pixels(warped.mask[b])),
        ]
        rows.append(drawing.side_by_side(tiles, height=HEIGHT, gap=4))
    return rows


def _outlined(mask: Pixels) -> Pixels:
    """A mask with a border, for it is white on white."""
    return np.pad(drawing.enlarge(mask, -(-HEIGHT // len(mask))), 1, constant_values=OUTLINE)


def _labels(faces: FaceBatch, b: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The landmarks of a face, those that are not visible nan: their place is not known."""
    visible = faces.visible[b].cpu().numpy() != 0
    return np.where(visible[:, None], faces.landmarks[b].cpu().double().numpy(), np.nan), visible


def worst_sheet(
    evaluation: Evaluation, objective: Objective, source: FaceSource, image_size: tuple[int, int], *,
    face_size: float, count: int = 8,
) -> Pixels:  # fmt: skip
    """The faces with the largest errors, the worst first, each below its name and error.

    Args:
        evaluation: of the faces in ``source``.
        objective: of the model and the landmark set that were evaluated.
        source, image_size, face_size: as in `evaluate`; the faces are read again.
        count: at most so many rows.
    """
    worst = evaluation.worst(count)
    stream = evaluation_stream(source, image_size, evaluation.landmark_set, face_size=face_size)
    faces = collate(stream.__getitems__(evaluation.numbers[worst].tolist()))
    rows = face_rows(objective, faces, evaluation.theta[torch.from_numpy(worst)])
    titles = [_title(evaluation, int(place)) for place in worst]
    return below([titled(row, words, TEXT - 3) for row, words in zip(rows, titles, strict=True)], gap=8)


def _title(evaluation: Evaluation, place: int) -> str:
    """The error first: a long path is cut at its beginning, where it says least."""
    yaw = evaluation.yaw[place]
    turned = f", yaw {yaw:+.0f}" if np.isfinite(yaw) else ""
    name = evaluation.names[place]
    return f"{100 * evaluation.errors[place]:.2f} %{turned}: {name if len(name) <= 60 else '…' + name[-59:]}"


def curve_picture(errors: Mapping[str, npt.NDArray[np.float64]], limits: npt.NDArray[np.float64]) -> Pixels:
    """The share of faces below each error, a line for each name.

    Args:
        errors: (n,) normalised mean errors of each name.
        limits: (m,) errors along the axis, rising from 0.
    """
    frame = _Frame(float(limits[-1]))
    for number, (name, values) in enumerate(errors.items()):
        colour = COLOURS[number % len(COLOURS)]
        frame.line(limits, cumulative_error(values, limits), colour)
        frame.legend(len(errors) - 1 - number, name, colour)
    return frame.pixels()


class _Frame:
    """The axes of the curve: errors to the right, shares of faces up."""

    def __init__(self, largest: float) -> None:
        self.largest = largest
        height, width = CURVE_SIZE
        above, right, under, left = MARGINS
        self.box = (left, above, width - right, height - under)
        self.image = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING), PAPER)
        self.pen = ImageDraw.Draw(self.image)
        for tick in np.linspace(0, largest, 6):
            self._grid([(tick, 0.0), (tick, 1.0)])
            self._text(self._place(tick, 0.0), (0, 8), f"{100 * tick:g}", "ma")
        for tick in np.linspace(0, 1, 6):
            self._grid([(0.0, tick), (largest, tick)])
            self._text(self._place(0.0, tick), (-8, 0), f"{100 * tick:.0f}", "rm")
        self._text(((self.box[0] + self.box[2]) / 2, self.box[3]), (0, 32), "Normalised mean error, %", "ma")
        self._upright("Faces, %")

    def line(self, limits: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], colour: tuple[int, ...]) -> None:
        places = [self._place(*point) for point in zip(limits.tolist(), shares.tolist(), strict=True)]
        self.pen.line(_enlarged(places), fill=colour, width=2 * SUPERSAMPLING, joint="curve")

    def legend(self, row: int, name: str, colour: tuple[int, ...]) -> None:
        x, y = self.box[2] - 12, self.box[3] - 18 - 22 * row
        self._text((x - 34, y), (0, 0), name, "rm")
        self.pen.line(_enlarged([(x - 26, y), (x, y)]), fill=colour, width=3 * SUPERSAMPLING)

    def pixels(self) -> Pixels:
        return np.array(self.image.resize((CURVE_SIZE[1], CURVE_SIZE[0]), Image.Resampling.BOX))

    def _place(self, error: float, share: float) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return left + error / self.largest * (right - left), bottom - share * (bottom - top)

    def _grid(self, ends: Sequence[tuple[float, float]]) -> None:
        self.pen.line(_enlarged([self._place(*end) for end in ends]), fill=GRID, width=SUPERSAMPLING)

    def _text(self, place: tuple[float, float], shift: tuple[float, float], words: str, anchor: str) -> None:
        (at,) = _pairs([(place[0] + shift[0], place[1] + shift[1])])
        self.pen.text(at, words, fill=INK, font=font((TEXT - 3) * SUPERSAMPLING), anchor=anchor)

    def _upright(self, words: str) -> None:
        letters = font((TEXT - 3) * SUPERSAMPLING)
        strip = Image.new("RGB", (int(letters.getlength(words)) + 2, (TEXT + 4) * SUPERSAMPLING), PAPER)
        ImageDraw.Draw(strip).text((0, 0), words, fill=INK, font=letters)
        turned = strip.rotate(90, expand=True)
        middle = (self.box[1] + self.box[3]) * SUPERSAMPLING // 2
        self.image.paste(turned, (4 * SUPERSAMPLING, middle - turned.height // 2))


def _pairs(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in places]


def _enlarged(places: Sequence[tuple[float, float]]) -> list[float]:
    return [value for pair in _pairs(places) for value in pair]
