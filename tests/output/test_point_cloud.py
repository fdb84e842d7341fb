import io

import numpy as np
import pytest

from densezero.errors import InputError
from densezero.output.point_cloud import assumed_focal_px, encode_ply

plyfile = pytest.importorskip("plyfile")


def scene(hw=(4, 6)):
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 256, (*hw, 3)).astype(np.uint8)
    return rgb, generator.uniform(0.5, 9, hw).astype(np.float32)


def read(content):
    """Positions (N, 3), colours (N, 3), and the comments, by the library plyfile."""
    ply = plyfile.PlyData.read(io.BytesIO(content))
    vertex = ply["vertex"]
    assert not ply.text
    assert ply.byte_order == "<"
    positions = np.stack([vertex[axis] for axis in "xyz"], -1)
    return positions, np.stack([vertex[name] for name in ("red", "green", "blue")], -1), ply.comments


def test_the_corners_of_a_wall_by_hand():
    # A wall of 2 x 4 pixels, 10 m away: its left upper pixel is 1.5 columns left of the middle, half a row above it.
    rgb = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    positions, colours, comments = read(encode_ply(rgb, np.full((2, 4), 10.0), focal_px=5))
    assert positions.tolist() == [
        [-3, 1, -10], [-1, 1, -10], [1, 1, -10], [3, 1, -10],
        [-3, -1, -10], [-1, -1, -10], [1, -1, -10], [3, -1, -10],
    ]  # fmt: skip
    assert np.array_equal(colours, rgb.reshape(-1, 3))
    assert any(comment.startswith("focal length 5.00 px, assumed unless it was given") for comment in comments)
    assert any("x right, y up, z towards the viewer" in comment for comment in comments)


def test_points_project_back_to_their_pixels():
    rgb, depth = scene()
    positions, colours, _ = read(encode_ply(rgb, depth, focal_px=7.5))
    camera = np.array([[7.5, 0, 3], [0, 7.5, 2], [0, 0, 1]])  # with y down and z forward, as in textbooks
    projected = (positions * [1, -1, -1]) @ camera.T
    np.testing.assert_allclose(projected[:, 2].reshape(depth.shape), depth, rtol=1e-6)
    pixels = projected[:, :2] / projected[:, 2:] - 0.5
    columns, rows = np.meshgrid(np.arange(6), np.arange(4))
    np.testing.assert_allclose(pixels, np.stack([columns.ravel(), rows.ravel()], -1), atol=1e-5)
    assert np.array_equal(colours.reshape(rgb.shape), rgb)


def test_pixels_without_a_depth_get_no_point():
    rgb, depth = scene()
    depth[0, :4] = [0, -1, np.nan, np.inf]
    positions, colours, _ = read(encode_ply(rgb, depth, focal_px=6))
    assert len(positions) == 20
    assert np.array_equal(colours, rgb.reshape(-1, 3)[4:])


def test_the_assumed_camera_sees_63_degrees():
    for hw in ((480, 640), (640, 480)):
        assert 2 * np.degrees(np.arctan(320 / assumed_focal_px(hw))) == pytest.approx(63.4, abs=0.1)


@pytest.mark.parametrize(
    ("depth", "focal_px", "message"),
    [(np.ones((3, 6)), 5, "Expected colours"), (np.ones((4, 6)), 0, "above 0"), (np.ones((4, 6)), np.nan, "above 0")],
)
def test_what_cannot_be_a_point_cloud_is_refused(depth, focal_px, message):
    with pytest.raises(InputError, match=message):
        encode_ply(scene()[0], depth, focal_px)
