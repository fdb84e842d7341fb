import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import densezero
from densezero.datasets.papers import PAPERS
from densezero.engine import presets
from densezero.engine.protocol import Grid, Protocol
from densezero.engine.segmenter import Segmenter
from densezero.errors import InputError, OutputError, ProtocolError
from densezero.images.rasters import Pixels
from densezero.jobs import native
from densezero.jobs.label_strips import STRIPS, LabelStrips
from densezero.jobs.native import label_scene, native_protocol, segment_scenes
from densezero.jobs.places import OutputFolder
from densezero.pretrain.scenes import draw_scene
from densezero.progress import Listener
from densezero.vocabulary.background import Background
from tests.jobs.photos import read_labels, settings, write_scenes

CLASSES = "sky, grass, sea, house=home|cottage, sun"
TINY = Protocol("tiny", window_px=56, stride_px=42, templates="plain")


@pytest.fixture(scope="module")
def encoder():
    return densezero.load_encoder("nano", dtype="float32")


@pytest.fixture
def tiny(monkeypatch):
    """A preset whose windows are small, so that small pictures have many of them."""
    monkeypatch.setitem(presets.PROTOCOLS, "tiny", TINY)
    monkeypatch.setitem(PAPERS, "tiny", PAPERS["tips-slide"])


class Scene:
    """A scene in memory, which counts the rows that are read."""

    def __init__(self, rgb, has_data=None):
        self.rgb, self.has_data, self.hw, self.tops = rgb, has_data, rgb.shape[:2], []

    def read(self, top, bottom):
        self.tops.append(top)
        return Pixels(self.rgb[top:bottom], None if self.has_data is None else self.has_data[top:bottom])


class StopAt(Listener):
    """Stops a run after a row of windows, as Ctrl-C does."""

    def __init__(self, row):
        self.row = row

    def step(self, what, done, total, unit):
        if done == self.row:
            raise KeyboardInterrupt


def without_resize(protocol, hw):
    return replace(protocol, short_side_px=min(hw), long_side_cap_px=max(hw))


def strips_of(folder, hw, key="key", dtype=np.uint8):
    return LabelStrips(OutputFolder(folder), "scene", hw, dtype, key)


PROTOCOLS = {
    "softmax": TINY,
    "words": replace(TINY, window_scores="cosine", scale=40, stride_px=28),
    "threshold": replace(TINY, background=Background(threshold=0.5, words=("wall",))),
    "no overlap": replace(TINY, stride_px=56),
}


@pytest.mark.parametrize("name", PROTOCOLS)
# 56 + 42 + 3 rows: the last window is shifted, and some rows lie in three windows; then smaller than a window
@pytest.mark.parametrize("hw", [(101, 143), (40, 150), (130, 50), (56, 56)])
def test_labels_are_those_of_a_segmenter_that_does_not_resize(tmp_path, encoder, name, hw):
    protocol, rgb = PROTOCOLS[name], draw_scene(5, hw).rgb
    segmenter = Segmenter(encoder, CLASSES, native_protocol(protocol))
    strips = strips_of(tmp_path, hw)
    label_scene(segmenter, Scene(rgb), strips, Listener())
    whole = Segmenter(encoder, CLASSES, without_resize(protocol, hw)).segment(rgb)
    assert (strips.whole() == whole.labels).all()
    assert len(np.unique(whole.labels)) > 1


def test_pixels_without_data_get_no_label_and_change_no_other(tmp_path, encoder):
    hw = (120, 180)
    rgb, has_data = draw_scene(6, hw).rgb, np.ones(hw, bool)
    has_data[:, :100] = has_data[:60] = False  # whole windows are empty, and a whole row of windows
    segmenter = Segmenter(encoder, CLASSES, TINY)
    strips = strips_of(tmp_path, hw)
    label_scene(segmenter, Scene(rgb, has_data), strips, Listener())
    expected = np.where(has_data, Segmenter(encoder, CLASSES, without_resize(TINY, hw)).segment(rgb).labels, 255)
    assert (strips.whole() == expected).all()


def test_a_stopped_scene_goes_on_from_its_last_strip(tmp_path, encoder):
    hw = (230, 100)
    rgb, segmenter = draw_scene(7, hw).rgb, Segmenter(encoder, CLASSES, TINY)
    with pytest.raises(KeyboardInterrupt):
        label_scene(segmenter, Scene(rgb), strips_of(tmp_path, hw), StopAt(3))
    again, scene = strips_of(tmp_path, hw), Scene(rgb)
    assert again.rows == 3 * 42
    label_scene(segmenter, scene, again, Listener())
    assert scene.tops == [84, 126, 168, 174]  # the row before overlaps; rows above it are not read again
    fresh = strips_of(tmp_path / "fresh", hw)
    label_scene(segmenter, Scene(rgb), fresh, Listener())
    assert (again.whole() == fresh.whole()).all()


def test_strips_of_another_request_or_a_cut_file_are_thrown_away(tmp_path):
    strips = strips_of(tmp_path, (6, 4))
    strips.append(np.full((2, 4), 1, np.uint8))
    strips.append(np.full((2, 4), 2, np.uint8))
    assert strips_of(tmp_path, (6, 4)).rows == 4
    file = tmp_path / STRIPS / "scene.labels"
    file.write_bytes(file.read_bytes()[:11])  # the second strip was not whole on the disk
    kept = strips_of(tmp_path, (6, 4))
    assert kept.rows == 2
    kept.append(np.full((4, 4), 3, np.uint8))
    assert kept.whole()[:, 0].tolist() == [1, 1, 3, 3, 3, 3]
    assert strips_of(tmp_path, (6, 4), key="another").rows == 0


def test_an_overview_takes_the_labels_nearest_to_the_middles(tmp_path):
    labels = np.arange(48, dtype=np.uint16).reshape(6, 8)
    strips = strips_of(tmp_path, (6, 8), dtype=np.uint16)
    strips.append(labels)
    assert strips.overview((3, 2)).tolist() == [[10, 14], [26, 30], [42, 46]]
    assert (strips.overview((6, 8)) == labels).all()
    strips.remove()
    assert not (tmp_path / STRIPS).exists()


def test_a_run_writes_every_format_from_the_same_labels(tmp_path, tiny):
    rasterio = pytest.importorskip("rasterio", reason="pip install densezero[geo]")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    rgb = draw_scene(8, (110, 120)).rgb
    about = {"height": 110, "width": 120, "count": 3, "dtype": "uint8", "crs": "EPSG:32632", "nodata": 0}
    transform = rasterio.Affine(10, 0, 500000, 0, -10, 5200000)
    bands = np.maximum(rgb.transpose(2, 0, 1), 1)
    bands[:, :5] = 0
    with rasterio.open(tmp_path / "in" / "sub" / "a.tif", "w", driver="GTiff", transform=transform, **about) as file:
        file.write(bands)
    formats = ("labels", "grey", "overlay", "csv", "geotiff")
    asked = settings(
        tmp_path / "in",
        tmp_path / "out",
        classes=CLASSES,
        protocol="tiny",
        short_side_px=None,
        native=True,
        save=formats,
    )
    summary = segment_scenes(asked)
    assert (summary.done, summary.failed) == (1, 0)
    labels = read_labels(tmp_path / "out" / "labels" / "sub" / "a.png")
    assert (labels == read_labels(tmp_path / "out" / "grey" / "sub" / "a.png")).all()
    assert (labels[:5] == 255).all()
    with rasterio.open(tmp_path / "out" / "geotiff" / "sub" / "a.tif") as made:
        assert (made.read(1) == labels).all()
        assert (made.crs.to_epsg(), made.transform) == (32632, transform)
    assert (tmp_path / "out" / "geotiff" / "sub" / "a.qml").exists()
    with Image.open(tmp_path / "out" / "overlays" / "sub" / "a.jpg") as overlay:
        assert overlay.height >= 110
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["request"]["native"] is True
    assert run["request"]["protocol"]["name"] == "tiny (native)"
    counted = {int(key): count for key, count in run["images"][0]["pixels"].items()}
    assert counted == dict(zip(*(part.tolist() for part in np.unique(labels[5:], return_counts=True)), strict=True))
    assert not (tmp_path / "out" / STRIPS).exists()
    again = segment_scenes(asked)
    assert (again.done, again.skipped) == (0, 1)
    # the ordinary path reads the same pixels, and leaves the same ones out
    assert densezero.load_results(tmp_path / "out")["sub/a.tif"].labels.shape == (110, 120)


def test_a_stopped_run_goes_on_and_gives_the_same_files(tmp_path, tiny):
    write_scenes(tmp_path / "in", ["a.png", "b.png"], (150, 120))
    chosen = {"classes": CLASSES, "protocol": "tiny", "short_side_px": None, "native": True, "save": ("labels", "csv")}
    stopped = segment_scenes(settings(tmp_path / "in", tmp_path / "out", **chosen), StopAt(2))
    assert (stopped.done, stopped.interrupted) == (0, True)
    assert not (tmp_path / "out" / "labels").exists()
    seen = []

    class Steps(Listener):
        def step(self, what, done, total, unit):
            seen.append(done)

    assert segment_scenes(settings(tmp_path / "in", tmp_path / "out", **chosen), Steps()).done == 2
    assert seen == [2, 3, 4, 1, 2, 3, 4]
    segment_scenes(settings(tmp_path / "in", tmp_path / "fresh", **chosen))
    for name in ("labels/a.png", "labels/b.png", "areas.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_a_broken_scene_stops_no_other(tmp_path, tiny):
    write_scenes(tmp_path / "in", ["a.png"], (60, 60))
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    chosen = {"classes": CLASSES, "protocol": "tiny", "short_side_px": None, "native": True, "save": ("labels",)}
    summary = segment_scenes(settings(tmp_path / "in", tmp_path / "out", **chosen))
    assert (summary.done, summary.failed) == (1, 1)


def test_a_png_of_a_scene_that_is_too_large_is_refused(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(native, "MAX_PIXELS", 1000)
    write_scenes(tmp_path / "in", ["a.png"], (60, 60))
    chosen = {"classes": CLASSES, "protocol": "tiny", "short_side_px": None, "native": True, "save": ("labels",)}
    assert segment_scenes(settings(tmp_path / "in", tmp_path / "out", **chosen)).failed == 1
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "expected at most 1,000 pixels for labels" in run["images"][0]["error"]


@pytest.mark.parametrize(
    ("protocol", "why"),
    [
        (Protocol("a", window_px=None, window_scores="cosine"), "has no windows"),
        (replace(TINY, refine=Grid()), "refines the scores"),
        (replace(TINY, min_area_share=0.1), "share of the whole image"),
    ],
)
def test_a_protocol_that_needs_the_whole_image_is_refused(protocol, why):
    with pytest.raises(ProtocolError, match=why):
        native_protocol(protocol)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"native": True}, InputError, "without --short-side"),
        ({"native": True, "short_side_px": None, "regions": "sam2"}, InputError, "without --regions"),
        ({"native": True, "short_side_px": None, "refine": "grid"}, InputError, "without --refine"),
        ({"native": True, "short_side_px": None, "save": ("scores", "coco")}, OutputError, "got scores, coco"),
        ({"crs": "image"}, OutputError, "--crs as lonlat or image, with --save geojson"),
        ({"bands": "1,2"}, InputError, "--bands as one or three numbers"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(tmp_path, changes, error, text):
    with pytest.raises(error, match=text):
        settings(tmp_path, tmp_path / "out", **changes)
