import json
from dataclasses import FrozenInstanceError, replace

import pytest

from densezero.engine import DEFAULT_PROTOCOL, PROTOCOLS, Background, Protocol, find_protocol
from densezero.engine.presets import find_refinement, with_changes
from densezero.engine.protocol import Grid, Pamr
from densezero.errors import ProtocolError
from densezero.vocabulary import CATALOG, TEMPLATES

# Short side, window, stride, scale, threshold, smallest share: FIELD.md, "The ovss convention".
PUBLISHED = {
    ("ovss", None): (336, 224, 112, 40, 0, 0),
    ("ovss", "voc20"): (336, 224, 112, 40, 0, 0),
    ("ovss", "voc21"): (336, 224, 112, 65, 0.1, 0.1),
    ("ovss", "pascal-context59"): (336, 224, 112, 40, 0, 0),
    ("ovss", "pascal-context60"): (336, 224, 112, 50, 0.1, 0),
    ("ovss", "coco-object"): (336, 224, 112, 50, 0.1, 0),
    ("ovss", "coco-stuff"): (448, 224, 112, 40, 0, 0),
    ("ovss", "cityscapes"): (560, 224, 112, 40, 0, 0),
    ("ovss", "ade20k"): (336, 224, 112, 40, 0, 0),
    ("ovss-clearclip", None): (448, 448, 224, 50, 0, 0),
    ("ovss-clearclip", "voc21"): (448, 448, 224, 50, 0.5, 0),
    ("ovss-clearclip", "pascal-context60"): (448, 448, 224, 50, 0.15, 0),
    ("ovss-clearclip", "coco-object"): (448, 448, 224, 50, 0.4, 0),
    ("ovss-clearclip", "cityscapes"): (448, 448, 224, 50, 0, 0),
    ("ovss-proxyclip", None): (336, 336, 112, 40, 0, 0),
    ("ovss-proxyclip", "voc21"): (336, 336, 112, 40, 0.2, 0),
    ("ovss-proxyclip", "pascal-context60"): (336, 336, 112, 40, 0.15, 0),
    ("ovss-proxyclip", "coco-object"): (336, 336, 112, 40, 0.25, 0),
    ("ovss-proxyclip", "ade20k"): (448, 336, 112, 40, 0, 0),
    ("ovss-proxyclip", "cityscapes"): (448, 336, 112, 40, 0, 0),
}


@pytest.mark.parametrize(("name", "class_list"), PUBLISHED)
def test_the_presets_have_the_numbers_of_their_papers(name, class_list):
    made = find_protocol(name, class_list)
    numbers = (made.short_side_px, made.window_px, made.stride_px, made.scale)
    assert (*numbers, made.background.threshold, made.min_area_share) == PUBLISHED[name, class_list]
    assert made.long_side_cap_px == 2048
    assert made.window_scores == "cosine"
    assert made.templates == "imagenet80"
    assert made.background.words == ()


def test_the_presets_of_the_notebook_have_its_numbers():
    slide, simple = find_protocol("tips-slide"), find_protocol("tips-simple")
    assert (slide.short_side_px, slide.window_px, slide.stride_px, slide.window_scores) == (448, 448, 336, "softmax")
    assert (simple.short_side_px, simple.window_px, simple.window_scores) == (448, None, "cosine")
    for preset in (slide, simple):
        assert (preset.readout, preset.scale, preset.templates, preset.rounding) == ("value", None, "tcl9", "down")
        assert not preset.background.is_on


@pytest.mark.parametrize(
    ("paper_list", "benchmark"),
    [
        ("ovss-voc21", "voc21"),
        ("clearclip-voc21", "voc21"),
        ("proxyclip-voc21", "voc21"),
        ("ovss-context60", "pascal-context60"),
        ("ovss-coco-object", "coco-object"),
        ("proxyclip-coco-object", "coco-object"),
        ("ovss-coco-stuff", "coco-stuff"),
        ("ovss-cityscapes", "cityscapes"),
        ("ovss-ade20k", "ade20k"),
    ],
)
def test_a_papers_own_class_list_takes_the_constants_of_its_benchmark(paper_list, benchmark):
    assert paper_list in CATALOG
    for name in PROTOCOLS:
        assert find_protocol(name, paper_list) == find_protocol(name, benchmark)


def test_every_packaged_list_with_a_background_has_a_threshold_in_the_ovss_presets():
    with_threshold = {name for name in CATALOG if find_protocol("ovss", name).background.threshold}
    assert with_threshold == {name for name in CATALOG if "21" in name or "60" in name or "object" in name}


def test_a_list_of_no_benchmark_takes_the_preset_as_it_is():
    for name, preset in PROTOCOLS.items():
        assert find_protocol(name) == find_protocol(name, "my-words") == preset
        assert preset.name == name


def test_every_preset_names_packaged_templates_and_the_default_is_a_preset():
    assert {preset.templates for preset in PROTOCOLS.values()} <= set(TEMPLATES)
    assert DEFAULT_PROTOCOL in PROTOCOLS


def test_an_unknown_protocol_is_refused_with_the_nearest():
    with pytest.raises(ProtocolError, match=r"'tips-slid'.*Did you mean 'tips-slide'\?"):
        find_protocol("tips-slid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"short_side_px": 0}, "short_side_px as a whole number of pixels, at least 1; got 0"),
        ({"short_side_px": 448.5}, r"short_side_px as a whole number.*448\.5"),
        ({"long_side_cap_px": -1}, "long_side_cap_px"),
        ({"stride_px": 0}, "stride_px"),
        ({"window_px": 0}, "window_px as a whole number of pixels, at least 1; got 0"),
        ({"window_px": 224, "stride_px": 225}, "side 224, so that every pixel is covered; got 225"),
        ({"rounding": "up"}, "rounding to be one of down, nearest; got 'up'"),
        ({"window_scores": "logits"}, "window_scores to be one of cosine, softmax; got 'logits'"),
        ({"window_scores": "cosine", "scale": 0}, "scale above 0, or None; got 0"),
        ({"window_scores": "cosine", "scale": float("inf")}, "finite scale"),
        ({"window_scores": "cosine", "scale": float("nan")}, "finite scale"),
        ({"window_scores": "softmax", "scale": 40}, "Set window_scores to 'cosine'"),
        ({"min_area_share": 1}, "min_area_share"),
        ({"min_area_share": None}, "min_area_share"),
        ({"window_scores": "cosine", "scale": "40"}, "scale above 0, or None; got '40'"),
        ({"short_side_px": True}, "short_side_px"),
        ({"min_area_share": -0.1}, "min_area_share"),
    ],
)
def test_settings_out_of_range_or_against_each_other_are_refused(change, message):
    with pytest.raises(ProtocolError, match=message):
        replace(Protocol("mine"), **change)


def test_a_background_is_on_with_words_or_with_a_threshold():
    assert [Background().is_on, Background(("wall",)).is_on, Background(threshold=0.1).is_on] == [False, True, True]


def test_each_background_setting_changes_the_protocol_alone():
    slide, voc = find_protocol("tips-slide"), find_protocol("ovss", "voc21")
    made = with_changes(slide, background_words="wall, floor", background_threshold=0.3)
    assert made == replace(slide, name="tips-slide (changed)", background=Background(("wall", "floor"), 0.3))
    assert with_changes(slide, background_words="auto").background == Background("auto")
    assert with_changes(voc, background_words="wall").background == Background(("wall",), 0.1)
    assert with_changes(voc, background_threshold=0.0, unknown=0.2).background == Background(unknown=0.2)
    with pytest.raises(ProtocolError, match="got both"):  # the paper has a threshold here
        with_changes(voc, unknown=0.2)


def test_a_stride_beside_no_window_does_not_matter():
    assert Protocol("whole", window_px=None, stride_px=9999).window_px is None


def test_a_protocol_cannot_be_changed_and_can_be_a_key():
    with pytest.raises(FrozenInstanceError):
        find_protocol("ovss").scale = 1
    assert len({find_protocol("ovss"), find_protocol("ovss"), find_protocol("tips-slide")}) == 2


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_survives_json(name):
    protocol = replace(find_protocol(name, "voc21"), background=Background(("wall", "floor"), 0.2))
    assert Protocol.from_json(json.loads(json.dumps(protocol.to_json()))) == protocol


@pytest.mark.parametrize("change", [{"colour": 1}, {"background": None}, {"background": {"word": []}}, {"scale": "40"}])
def test_json_that_is_no_protocol_is_refused(change):
    with pytest.raises(ProtocolError, match=r"fields of a protocol|finite scale"):
        Protocol.from_json({**Protocol("mine").to_json(), **change})


def test_json_without_a_background_is_refused():
    values = Protocol("mine").to_json()
    del values["background"]
    with pytest.raises(ProtocolError, match="background"):
        Protocol.from_json(values)


def test_json_with_a_setting_out_of_range_is_refused_for_that():
    with pytest.raises(ProtocolError, match="stride_px as a whole number"):
        Protocol.from_json({**Protocol("mine").to_json(), "stride_px": 0})


def test_naclip_takes_the_whole_image_on_voc_and_windows_elsewhere():
    assert find_protocol("ovss-naclip", "ovss-voc21").window_px is None
    assert find_protocol("ovss-naclip", "ovss-voc20").window_px is None
    assert find_protocol("ovss-naclip", "pascal-context60").window_px == 224
    assert find_protocol("ovss-naclip", "cityscapes").short_side_px == 560


def test_without_refinement_the_values_are_those_of_versions_that_had_none():
    # Literal: an unfinished run goes on only if its request is the same.
    assert find_protocol("tips-slide").to_json() == {
        "name": "tips-slide", "short_side_px": 448, "long_side_cap_px": 4096, "rounding": "down", "window_px": 448,
        "stride_px": 336, "readout": "value", "window_scores": "softmax", "scale": None, "templates": "tcl9",
        "background": {"words": (), "threshold": 0.0}, "min_area_share": 0.0,
    }  # fmt: skip
    assert not any("refine" in find_protocol(name).to_json() for name in PROTOCOLS if name != "pearl-grid")
    assert "unknown" in with_changes(find_protocol("tips-slide"), unknown=0.3).to_json()["background"]
    assert with_changes(find_protocol("tips-slide"), refine="none") == find_protocol("tips-slide")


@pytest.mark.parametrize("refine", [None, Grid(), Grid(40, 7), Pamr(), Pamr(3, (1, 2, 4), image_size=True)])
def test_a_refinement_survives_json(refine):
    protocol = replace(find_protocol("tips-slide"), refine=refine)
    assert Protocol.from_json(json.loads(json.dumps(protocol.to_json()))) == protocol
    assert Protocol.from_json({"refine": None, **find_protocol("ovss").to_json()}) == find_protocol("ovss")


@pytest.mark.parametrize(
    "refine",
    [
        {"method": "blur"},
        {"cells": 80},
        {"method": "grid", "cells": 0},
        {"method": "pamr"},
        "grid",
        {"method": "grid", "x": 1},
    ],
)
def test_json_of_no_refinement_is_refused(refine):
    with pytest.raises(ProtocolError):
        Protocol.from_json({**find_protocol("tips-slide").to_json(), "refine": refine})


def test_refinements_out_of_range_are_refused():
    for make, message in (
        (lambda: Grid(cells=0), "cells as a whole number of at least 1; got 0"),
        (lambda: Grid(iterations=True), "iterations as a whole number"),
        (lambda: Pamr(dilations=()), "dilations as a tuple of at least one number"),
        (lambda: Pamr(dilations=(8, 0)), "dilation 0 as a whole number of at least 1"),
        (
            lambda: replace(find_protocol("ovss"), refine="grid"),
            r"refine to be Grid\(...\), Pamr\(...\) or None; got 'grid'",
        ),
        (lambda: find_refinement("crf", find_protocol("ovss")), "a refinement out of none, grid, pamr; got 'crf'"),
    ):
        with pytest.raises(ProtocolError, match=message):
            make()


def test_a_refinement_is_looked_up_for_its_protocol():
    naclip, slide, pearl = (find_protocol(name) for name in ("ovss-naclip", "tips-slide", "pearl-grid"))
    assert find_refinement("pamr", naclip) == Pamr(image_size=True)
    assert find_refinement("pamr", slide) == Pamr(10, (8, 16), image_size=False)
    assert find_refinement("grid", naclip) == Grid(80, 25)
    assert find_refinement(None, pearl) == Grid()
    assert find_refinement("none", pearl) is None
    assert [find_refinement(None, find_protocol(name)) for name in PROTOCOLS if name != "pearl-grid"] == [None] * 6


def test_another_refinement_makes_another_protocol_and_the_same_one_does_not():
    slide, pearl = find_protocol("tips-slide"), find_protocol("pearl-grid")
    assert with_changes(slide, refine="grid") == replace(slide, name="tips-slide (changed)", refine=Grid())
    assert with_changes(pearl, refine="grid") is pearl
    assert with_changes(pearl) is pearl
    assert with_changes(pearl, refine="none").refine is None


def test_pearl_grid_is_ovss_with_the_grid():
    for class_list in ("voc21", "ovss-voc21", "ade20k", "cityscapes", None):
        ovss = find_protocol("ovss", class_list)
        assert find_protocol("pearl-grid", class_list) == replace(ovss, name="pearl-grid", refine=Grid())


def test_refined_scores_are_mean_cosines_in_every_protocol():
    slide = find_protocol("tips-slide")
    assert slide.averages_softmax
    assert not replace(slide, refine=Grid()).averages_softmax
    assert find_protocol("tips-simple").labels_patch_grid
    assert not replace(find_protocol("tips-simple"), refine=Pamr()).labels_patch_grid
