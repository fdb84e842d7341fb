from pathlib import Path

import pytest

from densezero.errors import FeatureError, InputError, OutputError
from densezero.features.choices import FigureStyle, GridChoice, is_figure
from densezero.jobs.features.settings import FeaturesSettings, PcaSettings, SimilaritySettings

PHOTOS, FOLDER, FIGURE, FILM = (Path("photos"),), Path("out"), Path("out.png"), Path("out.mp4")


def test_a_long_side_in_pixels_is_rounded_to_whole_patches():
    assert GridChoice(side=12).patches(14) == 12
    assert GridChoice(side_px=448).patches(14) == 32
    assert GridChoice(side_px=450).patches(16) == 28  # 28.1
    assert GridChoice(side_px=3).patches(16) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"side": 0}, "--grid"), ({"side_px": 0}, "--side"), ({"window_side": -1}, "--window")],
)
def test_numbers_below_one_patch_are_refused_by_their_option(changes, says):
    with pytest.raises(FeatureError, match=f"{says} of at least 1; got"):
        GridChoice(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shows": ("kmean",)}, "Did you mean 'kmeans'"),
        ({"color_mapping": "sigmiod"}, "Did you mean 'sigmoid'"),
        ({"upsampler": "guide"}, "Did you mean 'guided'"),
        ({"basis": "toghether"}, "toghether, which is none of them"),
        ({"clusters": 1}, "at least 2 clusters; got 1"),
        ({"fit_images": 0}, "--fit-images 0"),
        ({"models": ()}, "at least one --model"),
        ({"readouts": ("patch", "patch")}, "every --readout once; got patch, patch"),
        ({"align": True}, "second --model or --readout"),
        ({"align": True, "readouts": ("patch", "value"), "basis": "each"}, "drawn as one figure"),
        ({"save_basis": Path("b"), "shows": ("kmeans",)}, "k-means alone fits none"),
        ({"save_basis": Path("b"), "basis": "each"}, "fitted to all images together"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_a_model_is_loaded(changes, says):
    with pytest.raises(FeatureError, match=says):
        PcaSettings(PHOTOS, FOLDER, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"align": True, "readouts": ("patch", "value")},
        {"save_basis": Path("new.safetensors")},
    ],
)
def test_a_stored_basis_is_taken_as_it_is(tmp_path, changes):
    stored = tmp_path / "basis.safetensors"
    stored.touch()
    assert PcaSettings(PHOTOS, FOLDER, basis=str(stored)).stored_basis == stored
    with pytest.raises(FeatureError, match="taken as it is"):
        PcaSettings(PHOTOS, FOLDER, basis=str(stored), **changes)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"shows": ("pca", "first")}, FeatureError, "one --show"),
        ({"basis": "each"}, FeatureError, "one basis"),
        ({"out": FIGURE}, OutputError, "ending in .mp4"),
        ({"inputs": (Path("a"), Path("b"))}, InputError, "got 2 inputs"),
        ({"rate": 0.0}, InputError, "above 0"),
        ({"rate": float("nan")}, InputError, "above 0"),
    ],
)
def test_a_film_has_one_column_one_basis_and_one_input(changes, error, says):
    with pytest.raises(error, match=says):
        PcaSettings(**{"inputs": PHOTOS, "out": FILM, "video": True, **changes})


def test_a_name_that_ends_like_a_figure_asks_for_one_unless_it_is_a_folder(tmp_path):
    assert [is_figure(Path(name)) for name in ("a.png", "a.PDF", "a.svg", "a", "a.mp4")] == [True] * 3 + [False] * 2
    (tmp_path / "folder.png").mkdir()
    assert not is_figure(tmp_path / "folder.png")
    assert PcaSettings(PHOTOS, FIGURE).draws_figure
    assert not PcaSettings(PHOTOS, FILM, video=True).draws_figure


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({}, InputError, "--text .* or --point"),
        ({"texts": (" ",)}, InputError, "got an empty one"),
        ({"texts": ("a",), "points": ((1, 2),)}, InputError, "add --each"),
        ({"texts": ("a",), "upsampler": "nearst"}, FeatureError, "Did you mean 'nearest'"),
        ({"texts": ("a",), "out": FOLDER}, OutputError, "ending in .png, .pdf, .svg"),
    ],
)
def test_heat_maps_need_something_to_compare_and_a_figure(changes, error, says):
    with pytest.raises(error, match=says):
        SimilaritySettings(**{"inputs": (Path("a.png"),), "out": FIGURE, **changes})


def test_texts_and_points_go_together_where_each_has_its_own_scale():
    assert SimilaritySettings((Path("a.png"),), FIGURE, ("sea",), ((1.0, 2.0),), each=True).points == ((1.0, 2.0),)


def test_an_unknown_format_of_grids_gives_the_nearest():
    with pytest.raises(FeatureError, match="Did you mean 'safetensors'"):
        FeaturesSettings(PHOTOS, FOLDER, form="safetensor")


@pytest.mark.parametrize("width_mm", [0.0, -5.0, 2001.0, float("nan"), float("inf")])
def test_a_width_that_no_printer_has_is_refused(width_mm):
    with pytest.raises(FeatureError, match="--width in mm"):
        FigureStyle(width_mm)


def test_captions_and_a_title_belong_to_a_figure():
    PcaSettings(PHOTOS, FIGURE, labels=("a",))
    for changes in ({"labels": ("a",)}, {"style": FigureStyle(title="T")}):
        with pytest.raises(FeatureError, match="belong to a figure"):
            PcaSettings(PHOTOS, Path("folder"), **changes)


def test_a_name_that_looks_like_a_file_does_not_become_a_folder(tmp_path):
    with pytest.raises(OutputError, match=r"out\.mp4 ends like a film: add --video"):
        PcaSettings(PHOTOS, FILM)
    with pytest.raises(OutputError, match=r"figure ending in \.png, \.pdf, \.svg; got out\.JPG"):
        PcaSettings(PHOTOS, Path("out.JPG"))
    (tmp_path / "run.jpg").mkdir()
    assert not PcaSettings(PHOTOS, tmp_path / "run.jpg").draws_figure
    assert not PcaSettings(PHOTOS, Path("vit.base-14")).draws_figure


def test_a_grid_that_no_machine_holds_is_refused():
    assert GridChoice(side=512).patches(14) == 512
    for given in (GridChoice(side=513), GridChoice(side_px=513 * 14)):
        with pytest.raises(FeatureError, match=r"at most 512 patches .*7168 pixels.*got 513"):
            given.patches(14)


def test_a_basis_is_stored_under_a_name_that_says_what_it_is():
    PcaSettings(PHOTOS, FOLDER, save_basis=Path("b.safetensors"))
    with pytest.raises(OutputError, match=r"stored as safetensors; got b\.npz"):
        PcaSettings(PHOTOS, FOLDER, save_basis=Path("b.npz"))
