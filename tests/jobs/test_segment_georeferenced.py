import json

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError, OutputError
from densezero.jobs.result_page import THUMBNAILS, make_gallery
from densezero.jobs.segment import segment_images
from densezero.pretrain.scenes import draw_scene
from tests.jobs.photos import read_labels, settings, write_scenes

rasterio = pytest.importorskip("rasterio", reason="pip install densezero[geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul")  # rasterio 1.4 beside affine 3
UTM = rasterio.Affine(10, 0, 500000, 0, -10, 5200000)
FORMATS = ("labels", "overlay", "geotiff", "geojson", "coco", "csv")


@pytest.fixture
def scene(tmp_path):
    """A folder with one GeoTIFF of 16 bits, whose bands run blue, green, red, and whose first rows have no data."""
    (tmp_path / "in").mkdir()
    bands = draw_scene(3, (48, 64)).rgb.transpose(2, 0, 1)[::-1].astype(np.uint16) * 10 + 100
    bands[:, :6] = 0
    about = {"height": 48, "width": 64, "count": 3, "dtype": "uint16", "crs": "EPSG:32632", "nodata": 0}
    with rasterio.open(tmp_path / "in" / "a.tif", "w", driver="GTiff", transform=UTM, **about) as file:
        file.write(bands)
    return tmp_path / "in"


def test_a_geotiff_becomes_labels_and_maps(tmp_path, scene):
    asked = settings(scene, tmp_path / "out", save=FORMATS, bands="3,2,1", value_range="100,2650")
    assert segment_images(asked).done == 1
    labels = read_labels(tmp_path / "out" / "labels" / "a.png")
    assert (labels[:6] == 255).all()
    assert (labels[6:] < 4).all()
    with rasterio.open(tmp_path / "out" / "geotiff" / "a.tif") as made:
        assert (made.read(1) == labels).all()
        assert made.transform == UTM
    regions = json.loads((tmp_path / "out" / "geojson" / "a.geojson").read_text())["features"]
    assert sum(region["properties"]["pixels"] for region in regions) == 42 * 64
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["request"]["bands"], run["request"]["value_range"]) == ([3, 2, 1], [100, 2650])
    assert sum(run["images"][0]["pixels"].values()) == 42 * 64
    assert segment_images(asked).skipped == 1


def test_the_gallery_shows_the_chosen_bands(tmp_path, scene):
    asked = settings(scene, tmp_path / "out", save=("overlay",), bands="3,2,1", value_range="100,2650")
    segment_images(asked)
    make_gallery(tmp_path / "out")
    with Image.open(next((tmp_path / "out" / THUMBNAILS).glob("*.jpg"))) as thumbnail:
        shown = np.array(thumbnail)[40:, :256].astype(int)  # of 192 x 256 pixels, below the rows without data
    drawn = Image.fromarray(draw_scene(3, (48, 64)).rgb).resize((256, 192))
    assert np.abs(shown - np.array(drawn)[40:]).mean() < 6


def test_other_bands_are_another_request(tmp_path, scene):
    segment_images(settings(scene, tmp_path / "out", save=("labels",)))
    with pytest.raises(OutputError, match="another request"):
        segment_images(settings(scene, tmp_path / "out", save=("labels",), bands="3,2,1"))


def test_geojson_of_pictures_without_a_place_is_refused_and_nothing_is_written(tmp_path, scene):
    write_scenes(scene, ["b.png"])
    with pytest.raises(InputError, match=r"1 have none \(.*b\.png\)"):
        segment_images(settings(scene, tmp_path / "out", save=("geojson", "labels")))
    assert not (tmp_path / "out").exists()
    assert segment_images(settings(scene, tmp_path / "out", save=("geotiff",))).done == 2


def test_a_second_coordinate_system_needs_overwrite(tmp_path, scene):
    chosen = {"save": ("geojson",)}
    segment_images(settings(scene, tmp_path / "out", **chosen))
    with pytest.raises(OutputError, match="written with --crs lonlat"):
        segment_images(settings(scene, tmp_path / "out", crs="image", **chosen))
    segment_images(settings(scene, tmp_path / "out", crs="image", overwrite=True, **chosen))
    assert b'"crs":' in (tmp_path / "out" / "geojson" / "a.geojson").read_bytes()[:60]
