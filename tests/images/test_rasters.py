import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.images import rasters as room
from densezero.images import read_rgb
from densezero.images.rasters import BandChoice, opened_raster, parse_band_choice, read_place
from densezero.images.read import read_pixels
from densezero.images.scenes import opened_scene
from densezero.images.sizes import read_hw

rasterio = pytest.importorskip("rasterio", reason="pip install densezero[geo]")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul",  # rasterio 1.4 beside affine 3
    "ignore:Dataset has no geotransform",
)
UTM = rasterio.Affine(0.5, 0, 500000, 0, -0.5, 5200000)


def write(path, bands, crs="EPSG:32632", transform=UTM, colours=None, **profile):
    """bands: (count, H, W)."""
    count, height, width = bands.shape
    about = {"count": count, "height": height, "width": width, "dtype": bands.dtype, "crs": crs, "transform": transform}
    with rasterio.open(path, "w", driver="GTiff", **about, **profile) as file:
        file.write(bands)
        if colours is not None:
            file.write_colormap(1, colours)
    return path


@pytest.fixture
def bands():
    """(4, 20, 30) of 8 bits, all different."""
    return np.random.default_rng(3).integers(1, 255, (4, 20, 30), np.uint8)


def test_the_first_three_bands_are_red_green_blue_and_others_are_chosen(tmp_path, bands):
    path = write(tmp_path / "a.tif", bands, photometric="minisblack")
    assert (read_rgb(path) == bands[:3].transpose(1, 2, 0)).all()
    chosen = read_pixels(path, BandChoice(bands=(4, 2, 1))).rgb
    assert (chosen == bands[[3, 1, 0]].transpose(1, 2, 0)).all()
    grey = read_pixels(path, BandChoice(bands=(4,))).rgb
    assert (grey == bands[3][:, :, None]).all()
    assert read_hw(path) == (20, 30)


def test_bands_that_the_file_calls_red_green_and_blue_come_first(tmp_path, bands):
    path = write(tmp_path / "a.tif", bands, photometric="minisblack")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp[name] for name in ("undefined", "blue", "green", "red")]
    assert (read_rgb(path) == bands[[3, 2, 1]].transpose(1, 2, 0)).all()


def test_8_bit_rgb_is_what_pillow_reads(tmp_path, bands):
    path = write(tmp_path / "a.tif", bands[:3], photometric="rgb")
    with Image.open(path) as image:
        assert (np.array(image) == read_rgb(path)).all()


def test_16_bit_values_are_stretched_between_percentiles_of_each_band(tmp_path):
    ramp = np.arange(101 * 100, dtype=np.uint16).reshape(1, 101, 100)
    path = write(tmp_path / "a.tif", np.concatenate([ramp, ramp * 2, ramp // 2]), photometric="minisblack")
    with opened_raster(path) as raster:
        assert raster.levels == pytest.approx(
            np.array([np.percentile(ramp * factor, (2, 98)) for factor in (1, 2)] + [np.percentile(ramp // 2, (2, 98))])
        )
    rgb = read_rgb(path)
    assert (rgb[0, 0], rgb[-1, -1]) == (pytest.approx([0, 0, 0]), pytest.approx([255, 255, 255]))
    assert np.abs(rgb.astype(int) - rgb[:, :, :1]).max() <= 1  # equal bands stay grey
    assert rgb[50, 50, 0] == round((5050 - 201.98) / (9897.02 - 201.98) * 255)  # worked out by hand


def test_a_range_is_the_same_for_every_scene(tmp_path):
    values = np.array([[[0, 1500, 3000, 4000]]], np.uint16)
    path = write(tmp_path / "a.tif", values)
    assert read_pixels(path, BandChoice(value_range=(0, 3000))).rgb[0, :, 0].tolist() == [0, 128, 255, 255]


def test_rows_are_scaled_as_the_whole_scene(tmp_path):
    values = np.linspace(0, 1, 40 * 30, dtype=np.float32).reshape(1, 40, 30)
    path = write(tmp_path / "a.tif", values)
    whole = read_rgb(path)
    with opened_scene(path) as scene:
        assert scene.hw == (40, 30)
        parts = [scene.read(top, min(top + 7, 40)).rgb for top in range(0, 40, 7)]
        assert scene.overview((4, 3)).shape == (4, 3, 3)
    assert (np.concatenate(parts) == whole).all()


def test_pixels_are_empty_where_all_bands_are_no_data(tmp_path, bands):
    bands = bands[:3].copy()
    bands[:, :2, :5] = 0  # no data
    bands[0, 10, 10] = 0  # one band alone: data
    rgb, has_data = read_pixels(write(tmp_path / "a.tif", bands, nodata=0))
    assert has_data is not None
    assert (~has_data).sum() == 10
    assert not has_data[:2, :5].any()
    assert (rgb[~has_data] == 0).all()


def test_nan_and_a_transparent_band_are_no_data(tmp_path, bands):
    values = np.ones((1, 3, 4), np.float32)
    values[0, 1, 2] = np.nan
    has_data = read_pixels(write(tmp_path / "a.tif", values)).has_data
    assert np.argwhere(~has_data).tolist() == [[1, 2]]
    rgba = bands.copy()
    rgba[3] = 255
    rgba[3, 0, 0] = 0
    rgb, has_data = read_pixels(write(tmp_path / "b.tif", rgba, photometric="rgb", alpha="yes"))
    assert np.argwhere(~has_data).tolist() == [[0, 0]]
    assert (rgb[1:] == rgba[:3, 1:].transpose(1, 2, 0)).all()


def test_a_palette_gives_its_colours(tmp_path):
    index = np.array([[[0, 1], [2, 1]]], np.uint8)
    path = write(tmp_path / "a.tif", index, colours={0: (1, 2, 3, 255), 1: (200, 100, 0, 255), 2: (9, 9, 9, 255)})
    assert read_rgb(path).tolist() == [[[1, 2, 3], [200, 100, 0]], [[9, 9, 9], [200, 100, 0]]]


def test_a_tiff_without_georeference_is_read_by_pillow_unless_bands_are_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr("densezero.images.read._told", set())  # it warns once
    grey = np.full((1, 6, 8), 1000, np.uint16)
    path = write(tmp_path / "a.tif", grey, crs=None, transform=None)
    with pytest.warns(match="comes out dark"):
        assert read_rgb(path)[0, 0, 0] == 4  # 1000 of 65535
    assert read_place(path) is None
    assert read_pixels(path, BandChoice(value_range=(0, 1000))).rgb[0, 0, 0] == 255


def test_other_files_take_no_bands(tmp_path, bands):
    Image.fromarray(bands[:3].transpose(1, 2, 0)).save(tmp_path / "a.png")
    assert (read_pixels(tmp_path / "a.png", BandChoice(bands=(3, 2, 1))).rgb == bands[:3].transpose(1, 2, 0)).all()


def test_a_place_is_read_from_the_file_or_a_world_file(tmp_path, bands):
    place = read_place(write(tmp_path / "a.tif", bands[:1]))
    assert (place.crs.to_epsg(), place.transform) == (32632, UTM)
    Image.fromarray(bands[0]).save(tmp_path / "b.jpg")
    (tmp_path / "b.jgw").write_text("2\n0\n0\n-2\n1001\n1999\n")  # the middle of the first pixel
    place = read_place(tmp_path / "b.jpg")
    assert (place.crs, place.transform) == (None, rasterio.Affine(2, 0, 1000, 0, -2, 2000))


def test_a_picture_that_rasterio_does_not_read_has_no_place(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.avif")
    assert read_place(tmp_path / "a.avif") is None


def test_what_cannot_be_read_is_named(tmp_path, bands):
    path = write(tmp_path / "a.tif", bands)
    with pytest.raises(InputError, match=r"a\.tif: expected band 7, but it has 4"):
        read_pixels(path, BandChoice(bands=(7,)))
    whole = path.read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) - 900])
    with pytest.raises(InputError, match=r"cut\.tif: expected"):
        read_rgb(tmp_path / "cut.tif")
    with pytest.raises(InputError, match="complex"):
        read_rgb(write(tmp_path / "c.tif", np.ones((1, 4, 4), np.complex64)))


@pytest.mark.parametrize("bands", ["1,2", "0,1,2", "a", "", "1,2,3,4"])
def test_bands_are_one_or_three_numbers_from_1(bands):
    with pytest.raises(InputError, match="--bands as one or three numbers"):
        parse_band_choice(bands, None)


@pytest.mark.parametrize("value_range", ["3", "5,5", "9,1", "nan,1", "0,inf", "a,b", "1,2,3"])
def test_a_range_is_two_rising_numbers(value_range):
    with pytest.raises(InputError, match="--range as two rising numbers"):
        parse_band_choice(None, value_range)


def test_without_the_extra_photographs_are_read_and_bands_are_refused(tmp_path, bands, monkeypatch):
    path = write(tmp_path / "a.tif", bands[:3], photometric="rgb")
    monkeypatch.setattr(room, "HAS_RASTERIO", False)
    assert (read_rgb(path) == bands[:3].transpose(1, 2, 0)).all()
    with pytest.raises(InputError, match=r"pip install densezero\[geo\]"):
        read_pixels(path, BandChoice(bands=(1,)))
