import json
import pickle
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densezero.errors import VocabularyError
from densezero.vocabulary import CATALOG, ClassList, class_list_from, load_class_list, load_packaged, parse_inline

SHARED = Path(__file__).parents[3] / "shared"

LENGTHS = {
    "ade20k": 150, "voc20": 20, "voc21": 21, "pascal-context59": 59, "pascal-context60": 60, "cityscapes": 19,
    "coco-stuff": 171, "coco-object": 81, "ovss-ade20k": 150, "ovss-voc20": 20, "ovss-voc21": 21, "ovss-context59": 59,
    "ovss-context60": 60, "ovss-cityscapes": 19, "ovss-coco-stuff": 171, "ovss-coco-object": 81, "proxyclip-voc20": 20,
    "proxyclip-voc21": 21, "proxyclip-coco-object": 81, "clearclip-voc21": 21,
}  # fmt: skip

VARIANTS = {
    "ovss-ade20k": ("ade20k", "SCLIP_cls_ade20k"),
    "ovss-voc20": ("voc20", "SCLIP_cls_voc20"),
    "ovss-voc21": ("voc21", "SCLIP_cls_voc21"),
    "ovss-context59": ("pascal-context59", "SCLIP_cls_context59"),
    "ovss-context60": ("pascal-context60", "SCLIP_cls_context60"),
    "ovss-cityscapes": ("cityscapes", "SCLIP_cls_city_scapes"),
    "ovss-coco-stuff": ("coco-stuff", "SCLIP_cls_coco_stuff"),
    "ovss-coco-object": ("coco-object", "SCLIP_cls_coco_object"),
    "proxyclip-voc20": ("voc20", "ProxyCLIP_cls_voc20"),
    "proxyclip-voc21": ("voc21", "ProxyCLIP_cls_voc21"),
    "proxyclip-coco-object": ("coco-object", "ProxyCLIP_cls_coco_object"),
    "clearclip-voc21": ("voc21", "ClearCLIP_cls_voc21"),
}


def shared(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"no ../shared/{path} here")
    return SHARED / path


def voc_colour(label: int) -> list[int]:
    """Spread the bits of the label over the channels: bit 3k+c of the label is bit 7-k of channel c."""
    return [sum(((label >> (3 * k + channel)) & 1) << (7 - k) for k in range(3)) for channel in range(3)]


def test_the_table_and_the_data_files_name_the_same_lists():
    files = resources.files("densezero.vocabulary") / "data"
    assert {file.name for file in files.iterdir()} == {f"{name}.json" for name in CATALOG}
    assert set(LENGTHS) == set(CATALOG)


@pytest.mark.parametrize("name", CATALOG)
def test_a_packaged_list_has_its_length_its_name_its_source_and_a_colour_for_each_class(name):
    classes = load_packaged(name)
    file = resources.files("densezero.vocabulary") / "data" / f"{name}.json"
    assert len(classes) == LENGTHS[name]
    assert classes.name == name
    assert all(entry.colour is not None for entry in classes.entries)
    assert len(json.loads(file.read_text(encoding="utf-8"))["source"]) > 20


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(VocabularyError, match="Did you mean 'cityscapes'"):
        load_packaged("citiscapes")


@pytest.mark.parametrize("name", CATALOG)
def test_a_packaged_list_knows_that_it_is_packaged(name):
    assert load_packaged(name).is_packaged
    assert load_class_list(name).is_packaged


def test_a_list_of_the_same_name_and_classes_is_not_packaged(tmp_path):
    packaged = load_packaged("voc21")
    (tmp_path / "voc21.json").write_text(packaged.to_json())
    (tmp_path / "voc21.txt").write_text("\n".join(packaged.names))
    own = [load_class_list(tmp_path / "voc21.json"), ClassList.from_json(packaged.to_json())]
    assert own == [packaged, packaged]
    assert [classes.sha256 for classes in own] == [packaged.sha256] * 2
    others = [load_class_list(tmp_path / "voc21.txt"), class_list_from(packaged.names), parse_inline("sky")]
    assert not any(classes.is_packaged for classes in (*own, *others))
    assert "packaged" not in packaged.to_json()


def test_a_packaged_list_that_is_changed_is_not_packaged_any_more():
    packaged = load_packaged("voc21")
    assert not replace(packaged, entries=packaged.entries[1:]).is_packaged
    assert packaged.is_packaged
    with pytest.raises(TypeError):
        ClassList("voc21", packaged.entries, is_packaged=True)
    assert pickle.loads(pickle.dumps(packaged)).is_packaged  # the same list in another process


def test_ade20k_has_the_names_of_the_published_notebook():
    published = json.loads(shared("reference/tips_prompts.json").read_text(encoding="utf-8"))["ade20k_class_names"]
    assert list(load_packaged("ade20k").names) == published


def test_ade20k_follows_the_order_of_the_benchmark():
    table = shared("samples/ADEChallengeData2016/objectInfo150.txt").read_text(encoding="utf-8").splitlines()[1:]
    synonyms = [[word.strip() for word in line.split("\t")[4].split(",")] for line in table]
    names = load_packaged("ade20k").names
    assert len(synonyms) == 150
    assert [name for name, words in zip(names, synonyms, strict=True) if name not in words] == []


def test_voc_colours_follow_the_bit_rule_of_the_development_kit():
    assert load_packaged("voc21").colours.tolist() == [voc_colour(label) for label in range(21)]
    assert load_packaged("voc20").colours.tolist() == [voc_colour(label) for label in range(1, 21)]


def test_voc_colours_are_those_of_the_label_files():
    first = next(shared("samples/VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))
    with Image.open(first) as label:
        palette = label.getpalette()
    assert palette is not None
    assert load_packaged("voc21").colours.ravel().tolist() == palette[:63]


def test_lists_without_background_are_the_others_without_their_first_class():
    pairs = [("voc20", "voc21"), ("pascal-context59", "pascal-context60"), ("ovss-context59", "ovss-context60")]
    for without, with_background in pairs:
        assert load_packaged(with_background).background_index == 0
        assert load_packaged(without).background_index is None
        assert load_packaged(with_background).entries[1:] == load_packaged(without).entries


def test_context_classes_are_in_the_alphabet_of_their_original_spelling():
    names = [name.replace(" ", "") for name in load_packaged("pascal-context59").names]
    assert names == sorted(names)


def test_stuff_follows_the_things_and_is_in_the_alphabet():
    names = load_packaged("coco-stuff").names
    assert names[:80] == load_packaged("coco-object").names[1:]
    assert list(names[80:]) == sorted(names[80:])
    assert (names[80], names[170]) == ("banner", "wood")


def test_coco_objects_follow_the_category_ids():
    file = shared("samples/coco/annotations/instances_val2017.json")
    categories = json.loads(file.read_text(encoding="utf-8"))["categories"]
    ordered = [category["name"] for category in sorted(categories, key=lambda category: category["id"])]
    assert len(ordered) == 80
    assert load_packaged("coco-object").names == ("background", *ordered)


@pytest.mark.parametrize(
    ("name", "label", "called", "colour"),
    [
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 2, "sky", (6, 230, 230)),
        ("ade20k", 12, "person", (150, 5, 61)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("cityscapes", 0, "road", (128, 64, 128)),
        ("cityscapes", 1, "sidewalk", (244, 35, 232)),
        ("cityscapes", 6, "traffic light", (250, 170, 30)),
        ("cityscapes", 10, "sky", (70, 130, 180)),
        ("cityscapes", 18, "bicycle", (119, 11, 32)),
        ("voc21", 0, "background", (0, 0, 0)),
        ("voc21", 11, "dining table", (192, 128, 0)),
        ("voc20", 15, "potted plant", (0, 64, 0)),
        ("voc21", 20, "tv monitor", (0, 64, 128)),
        ("pascal-context60", 0, "background", (120, 120, 120)),
        ("pascal-context59", 0, "aeroplane", (180, 120, 120)),
        ("coco-stuff", 0, "person", (0, 192, 64)),
        ("coco-object", 0, "background", (0, 0, 0)),
        ("coco-object", 1, "person", (0, 192, 64)),
    ],
)
def test_well_known_classes_stand_at_their_label_in_their_colour(name, label, called, colour):
    entry = load_packaged(name).entries[label]
    assert (entry.name, entry.colour) == (called, colour)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_keeps_the_names_and_colours_of_its_benchmark(name):
    base = load_packaged(VARIANTS[name][0])
    assert load_packaged(name).names == base.names
    np.testing.assert_array_equal(load_packaged(name).colours, base.colours)
    assert load_packaged(name).sha256 != base.sha256


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_exactly_the_words_of_its_file(name):
    lines = shared(f"reference/class_lists/{VARIANTS[name][1]}.txt").read_text(encoding="utf-8").splitlines()
    separator = "; " if name.startswith("proxyclip") else ", "
    assert list(load_packaged(name).words) == [tuple(line.strip().split(separator)) for line in lines]


def test_the_background_words_of_sclip_do_not_name_the_background():
    classes = load_packaged("ovss-voc21")
    assert classes.names[0] == "background"
    assert classes.words[0][:3] == ("sky", "wall", "tree")
    assert "background" not in classes.words[0]


def test_clearclip_has_no_words_of_its_own_for_coco_objects():
    file = shared("reference/class_lists/ClearCLIP_cls_coco_object.txt")
    assert tuple(file.read_text(encoding="utf-8").split("\n")) == load_packaged("coco-object").names
    assert "clearclip-coco-object" not in CATALOG


def test_only_the_published_clash_of_beds_is_shared():
    shared_words = {name: load_packaged(name).shared_words for name in CATALOG if load_packaged(name).shared_words}
    assert shared_words == {"ovss-coco-object": ("bed",), "proxyclip-coco-object": ("bed",)}
