import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.images import read_rgb
from densezero.images.small import read_small


def smooth(hw):
    """A picture that changes slowly, so that the way of shrinking hardly matters."""
    rows, columns = np.indices(hw)
    bands = (255 * rows / hw[0], 255 * columns / hw[1], 127 + 100 * np.sin(columns / hw[1] * 6))
    return np.stack(bands, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_the_whole_is_shrunk_as_pillow_does(tmp_path, name):
    Image.fromarray(smooth((600, 1000))).save(tmp_path / name)
    expected = np.asarray(Image.fromarray(read_rgb(tmp_path / name)).resize((100, 60), Image.Resampling.BICUBIC))
    small = read_small(tmp_path / name, (60, 100))
    assert small.shape == (60, 100, 3) and small.dtype == np.uint8
    assert np.abs(small.astype(int) - expected).max() <= 4


def test_a_part_is_read_from_the_upper_left(tmp_path):
    rgb = np.zeros((400, 640, 3), np.uint8)
    rgb[:300, :400] = (200, 30, 60)  # the picture; the rest is a legend
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    small = read_small(tmp_path / "a.jpg", (60, 80), part_hw=(300, 400))
    assert np.abs(small[:-2, :-2].astype(int) - (200, 30, 60)).max() < 12  # the JPEG blurs the border itself
    whole = read_small(tmp_path / "a.jpg", (40, 64))
    assert whole[35, 60].max() < 12


def test_a_turned_photograph_is_upright(tmp_path):
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[:, :40] = 255  # left half; after a quarter turn clockwise it is the upper half
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=95, exif=exif)
    small = read_small(tmp_path / "a.jpg", (20, 10))
    assert small[2].min() > 245 and small[17].max() < 10


def test_a_tiny_picture_is_enlarged(tmp_path):
    Image.fromarray(np.full((1, 2, 3), 77, np.uint8)).save(tmp_path / "a.png")
    assert (read_small(tmp_path / "a.png", (20, 40)) == 77).all()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(InputError, match=r"a\.jpg: expected a whole JPEG"):
        read_small(tmp_path / "a.jpg", (20, 40))


def test_a_geotiff_is_read_by_its_bands(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    values = np.zeros((4, 80, 120), np.uint16)
    values[:3, :, 60:] = np.array([1000, 2000, 3000], np.uint16)[:, None, None]
    where = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    shape = {"height": 80, "width": 120, "count": 4, "dtype": "uint16", "crs": "EPSG:32632", "transform": where}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape) as dataset:
        dataset.write(values)
    small = read_small(tmp_path / "a.tif", (20, 30))
    assert small.shape == (20, 30, 3)
    assert small[:, :14].max() == 0 and small[:, 16:].min() > 200
