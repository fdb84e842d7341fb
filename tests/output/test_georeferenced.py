import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from densezero.errors import InputError, OutputError
from densezero.images import rasters
from densezero.output.geojson import encode_geojson, refuse_images_without_place, refuse_other_crs
from densezero.output.geotiff import encode_geotiff, write_geotiff
from densezero.output.qgis import encode_polygon_style, encode_raster_style
from densezero.vocabulary import parse_inline
from tests.output.scenes import scene_labels

rasterio = pytest.importorskip("rasterio", reason="pip install densezero[geo]")
features = pytest.importorskip("rasterio.features")
warp = pytest.importorskip("rasterio.warp")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul",  # rasterio 1.4 beside affine 3
    "ignore:Dataset has no geotransform",
)
CLASSES = parse_inline('sky, grass, boat=sailing ship, "a & b"')
UTM = rasterio.Affine(10, 0, 500000, 0, -10, 5200000)


def write_source(path, hw, crs="EPSG:32632", transform=UTM):
    about = {"crs": crs, "transform": transform, "height": hw[0], "width": hw[1], "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **about) as file:
        file.write(np.ones((1, *hw), np.uint8))
    return path


def rings_of(content):
    return [feature["geometry"]["coordinates"] for feature in json.loads(content)["features"]]


@pytest.mark.parametrize("n_classes", [4, 300])
def test_a_geotiff_lies_on_its_image_and_holds_labels_colours_and_no_data(tmp_path, n_classes):
    classes = CLASSES if n_classes == 4 else parse_inline(", ".join(f"word{index}" for index in range(n_classes)))
    labels = scene_labels(n_classes)
    source = write_source(tmp_path / "a.tif", labels.shape)
    (tmp_path / "b.tif").write_bytes(encode_geotiff(labels, classes, source))
    with rasterio.open(tmp_path / "b.tif") as made, rasterio.open(source) as given:
        assert (made.crs, made.transform, made.shape) == (given.crs, given.transform, given.shape)
        assert (made.read(1) == labels).all()
        assert (made.dtypes, made.nodata) == ((("uint8",), 255.0) if n_classes == 4 else (("uint16",), 65535.0))
        assert ((made.read_masks(1) > 0) == (labels < n_classes)).all()
        table = made.colormap(1)
    for index in (0, n_classes - 1):
        assert table[index] == (*map(int, classes.colours[index]), 255)
    assert table[255 if n_classes == 4 else 65535] == (0, 0, 0, 0)


def test_an_image_without_georeference_gives_a_plain_tiff(tmp_path):
    labels = scene_labels(4)
    (tmp_path / "b.tif").write_bytes(encode_geotiff(labels, CLASSES, None))
    with rasterio.open(tmp_path / "b.tif") as made:
        assert made.crs is None
        assert (made.read(1) == labels).all()


def test_strips_give_the_same_geotiff_as_the_whole(tmp_path):
    labels = np.random.default_rng(0).integers(0, 4, (1100, 30)).astype(np.uint8)
    strips = [labels[:512], labels[512:1024], labels[1024:]]
    write_geotiff(str(tmp_path / "a.tif"), strips, labels.shape, CLASSES, None)
    (tmp_path / "b.tif").write_bytes(encode_geotiff(labels, CLASSES, None))
    with rasterio.open(tmp_path / "a.tif") as strips_file, rasterio.open(tmp_path / "b.tif") as whole_file:
        assert (strips_file.read() == whole_file.read()).all()
        assert strips_file.profile == whole_file.profile


def test_geojson_in_coordinates_of_the_image_by_hand(tmp_path):
    labels = np.array([[0, 0], [0, 255]], np.uint8)
    source = write_source(tmp_path / "a.tif", (2, 2))
    content = encode_geojson(labels, CLASSES, source, "image")
    ((ring,),) = rings_of(content)
    assert ring[0] == ring[-1]
    against_the_clock = [
        [500000, 5200000], [500000, 5199980], [500010, 5199980],
        [500010, 5199990], [500020, 5199990], [500020, 5200000],
    ]  # fmt: skip
    start = ring.index([500000, 5200000])
    assert ring[start:-1] + ring[:start] == against_the_clock
    assert json.loads(content)["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
    fill = "#{:02x}{:02x}{:02x}".format(*CLASSES.colours[0])
    assert json.loads(content)["features"][0]["properties"] == {
        "class_index": 0, "class": "sky", "pixels": 3, "fill": fill,
    }  # fmt: skip


def test_geojson_in_longitude_and_latitude_agrees_with_pyproj(tmp_path):
    pyproj = pytest.importorskip("pyproj")
    labels = scene_labels(4, (150, 200))
    source = write_source(tmp_path / "a.tif", labels.shape)
    content = encode_geojson(labels, CLASSES, source)
    assert b'"crs"' not in content
    to_degrees = pyproj.Transformer.from_crs("EPSG:32632", "OGC:CRS84", always_xy=True)
    image, degrees = rings_of(encode_geojson(labels, CLASSES, source, "image")), rings_of(content)
    for polygon, other in zip(image, degrees, strict=True):
        for ring, same in zip(polygon, other, strict=True):
            expected = np.stack(to_degrees.transform(*np.array(ring).T), 1)
            assert np.abs(expected - np.array(same)).max() < 2e-8


@pytest.mark.parametrize("crs", ["lonlat", "image"])
@pytest.mark.parametrize("flip", [1, -1])
def test_rings_run_as_the_standard_says_and_burn_back_to_the_labels(tmp_path, crs, flip):
    labels = scene_labels(4, (300, 260))
    transform = rasterio.Affine(10, 0, 500000, 0, -10 * flip, 5200000)
    source = write_source(tmp_path / "a.tif", labels.shape, transform=transform)
    pairs = []
    for feature in json.loads(encode_geojson(labels, CLASSES, source, crs))["features"]:
        geometry = feature["geometry"]
        for place, ring in enumerate(geometry["coordinates"]):
            x, y = (np.array(ring) - ring[0]).T
            assert ((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0) == (place == 0)
        if crs == "lonlat":
            geometry = warp.transform_geom("OGC:CRS84", "EPSG:32632", geometry)
        pairs.append((geometry, feature["properties"]["class_index"]))
    burnt = features.rasterize(pairs, out_shape=labels.shape, transform=transform, fill=255, dtype="uint8")
    assert (burnt == labels).all()


def test_long_edges_stay_on_the_image_in_degrees(tmp_path):
    """Half way between its ends, an edge of 3,000 pixels of 100 m would miss the image by many pixels."""
    labels = np.zeros((64, 3000), np.uint8)
    labels[32:] = 1
    source = write_source(tmp_path / "a.tif", labels.shape, transform=rasterio.Affine(100, 0, 200000, 0, -100, 7800000))
    _, grass = rings_of(encode_geojson(labels, CLASSES, source))
    ring = np.array(grass[0])

    def row_of(points):
        return (7800000 - np.array(warp.transform("OGC:CRS84", "EPSG:32632", *points.T)[1])) / 100

    along = np.ptp(ring[[np.arange(len(ring) - 1), np.arange(1, len(ring))]], axis=0)
    middles = ((ring[:-1] + ring[1:]) / 2)[along[:, 0] > along[:, 1]]  # of the pieces along a row
    assert len(middles) == 2 * 47  # 3,000 / 64
    assert np.abs(row_of(middles)[:, None] - [32, 64]).min(1).max() < 0.1
    left, right = ring[ring[:, 0].argmin()], ring[ring[:, 0].argmax()]
    ends = np.round(row_of(np.array([left, right])))
    assert abs(row_of((left + right)[None] / 2)[0] - ends.mean()) > 3  # what the points between are for


def test_an_image_across_the_180th_meridian_is_refused_in_degrees(tmp_path):
    transform = rasterio.Affine(100, 0, 830000, 0, -100, 1000)  # 180 degrees is at 833,979 m of UTM zone 60
    source = write_source(tmp_path / "a.tif", (10, 120), "EPSG:32660", transform)
    labels = np.zeros((10, 120), np.uint8)
    with pytest.raises(InputError, match="one side of the 180th meridian"):
        encode_geojson(labels, CLASSES, source)
    ((ring,),) = rings_of(encode_geojson(labels, CLASSES, source, "image"))
    assert max(x for x, _ in ring) == 842000


def test_area_in_geopandas(tmp_path):
    geopandas = pytest.importorskip("geopandas", reason="pip install geopandas")
    labels = scene_labels(4)
    source = write_source(tmp_path / "a.tif", labels.shape)
    for crs, epsg in (("lonlat", 4326), ("image", 32632)):
        (tmp_path / "a.geojson").write_bytes(encode_geojson(labels, CLASSES, source, crs))
        frame = geopandas.read_file(tmp_path / "a.geojson")
        assert frame.crs.to_epsg() == epsg
        areas = frame.to_crs("EPSG:32632").area
        assert areas.to_numpy() == pytest.approx(frame["pixels"].to_numpy() * 100, rel=1e-4)


def test_images_without_georeference_are_refused_before_the_run(tmp_path):
    good = write_source(tmp_path / "good.tif", (4, 4))
    bad = [write_source(tmp_path / f"bad{index}.tif", (4, 4), None, None) for index in range(7)]
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    refuse_images_without_place([good, tmp_path / "broken.tif"])
    with pytest.raises(InputError, match=r"7 have none \(.*bad4\.tif, \.\.\.\)\. Save polygons"):
        refuse_images_without_place([good, *bad])
    with pytest.raises(InputError, match="the image has no georeference"):
        encode_geojson(np.zeros((4, 4), np.uint8), CLASSES, bad[0])
    position = write_source(tmp_path / "position.tif", (4, 4), None)
    with pytest.raises(InputError, match="use --crs image"):
        encode_geojson(np.zeros((4, 4), np.uint8), CLASSES, position)
    assert json.loads(encode_geojson(np.zeros((4, 4), np.uint8), CLASSES, position, "image"))["crs"] is None


def test_two_coordinate_systems_are_not_mixed(tmp_path):
    source = write_source(tmp_path / "a.tif", (4, 4))
    for crs, other in (("lonlat", "image"), ("image", "lonlat")):
        file = tmp_path / f"{crs}.geojson"
        refuse_other_crs([file], other)  # nothing is there yet
        file.write_bytes(encode_geojson(np.zeros((4, 4), np.uint8), CLASSES, source, crs))
        refuse_other_crs([file], crs)
        with pytest.raises(OutputError, match=f"written with --crs {crs}; --crs {other} would mix"):
            refuse_other_crs([tmp_path / "missing.geojson", file], other)


def test_styles_name_and_colour_every_class():
    raster = ET.fromstring(encode_raster_style(CLASSES).decode())
    entries = [entry.attrib for entry in raster.iter("paletteEntry")]
    assert [(entry["value"], entry["label"]) for entry in entries] == [
        ("0", "sky"), ("1", "grass"), ("2", "boat"), ("3", "a & b"),
    ]  # fmt: skip
    assert entries[1]["color"] == "#{:02x}{:02x}{:02x}".format(*CLASSES.colours[1])
    polygons = ET.fromstring(encode_polygon_style(CLASSES).decode())
    assert [each.get("value") for each in polygons.iter("category")] == ["sky", "grass", "boat", "a & b"]
    symbols = {each.get("name"): each for each in polygons.iter("symbol")}
    colour = ",".join(map(str, (*map(int, CLASSES.colours[2]), 255)))
    assert symbols["2"].find("layer/Option/Option[@name='color']").get("value") == colour
    assert symbols["2"].find("layer/prop[@k='color']").get("v") == colour


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(rasters, "HAS_RASTERIO", False)
    with pytest.raises(InputError, match=r"rasterio for --save geotiff.*pip install densezero\[geo\]"):
        encode_geotiff(scene_labels(4), CLASSES, None)
    with pytest.raises(InputError, match=r"pip install densezero\[geo\]"):
        refuse_images_without_place([])
