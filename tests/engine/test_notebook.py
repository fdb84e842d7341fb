"""What a notebook does with a Segmenter: any image in, several at once, pictures and files out."""

import io
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import densezero
from densezero.engine import Background, Segmenter, find_protocol
from densezero.errors import InputError, ModelError, OutputError, VocabularyError
from densezero.output.labels import read_labels
from densezero.vocabulary import load_packaged, load_templates
from tests.conftest import callers_torch_settings

PLAIN = load_templates("plain")
WORDS = ["sky", ["boat", "sailing ship", "yacht"], "grass", "house"]


@pytest.fixture
def segmenter(colour_encoder):
    return Segmenter(colour_encoder, WORDS, "tips-simple", PLAIN)


@pytest.fixture
def photo(tmp_path, rgb):
    path = tmp_path / "photo.png"
    Image.fromarray(rgb(60, 90)).save(path)
    return path


def forms_of(path):
    """One picture in every form that people have."""
    array = np.array(Image.open(path))
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    return {
        "path": path, "text": str(path), "pillow": Image.open(path), "array": array, "uint8 tensor": tensor,
        "float tensor": tensor / 255, "double tensor": tensor.double() / 255,
        "tensor with gradients": (tensor / 255).requires_grad_(),
    }  # fmt: skip


def test_a_picture_in_any_form_gives_the_same_labels(segmenter, photo, rgb):
    expected = segmenter.segment(rgb(60, 90)).labels
    for name, image in forms_of(photo).items():
        assert np.array_equal(segmenter.segment(image).labels, expected), name


def test_a_pillow_image_is_turned_upright_and_stays_as_it_was(segmenter, tmp_path, rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb(60, 90)).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        labels = segmenter.segment(image).labels
        assert image.size == (90, 60) and image.getexif()[0x0112] == 6
    assert labels.shape == (90, 60)
    assert np.array_equal(labels, segmenter.segment(tmp_path / "turned.png").labels)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.zeros(4, 5, 3), r"\(3, H, W\).*got a tensor of torch.float32, shape \(4, 5, 3\)"),
        (torch.zeros(1, 3, 4, 5), "shape"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), "torch.int64"),
        (torch.full((3, 4, 5), 1.5), r"levels in \[0, 1\]; got values from 1.5 to 1.5.*Divide"),
        (torch.full((3, 4, 5), float("nan")), r"levels in \[0, 1\]"),
        (np.zeros((4, 5, 3), np.float64), "float64"),
        (7, "int"),
        (None, "NoneType.*cv2.imread returns None"),
        ([1, 2], "list.*segment_many"),
        (np.zeros((4, 5), np.uint8), "fromarray"),
        (np.zeros((4, 5, 3), np.float32), r"\(255 \* image\)"),
        (io.BufferedReader(io.BytesIO(b"photo")), "BufferedReader"),
    ],
)
def test_what_is_not_an_image_is_refused_with_what_is_taken(segmenter, image, words):
    with pytest.raises(InputError, match=words):
        segmenter.segment(image)


def test_many_images_are_segmented_in_order_as_one_by_one(segmenter, photo, rgb, monkeypatch):
    monkeypatch.setattr("densezero.engine.segmenter.images_at_once", lambda *_: 2)
    images, seen = [rgb(40, 60), photo, rgb(30, 30), rgb(40, 60, seed=3), rgb(20, 90)], []
    results = list(segmenter.segment_many(iter(images), progress=seen.append))
    assert seen == [1, 2, 3, 4, 5]
    for image, result in zip(images, results, strict=True):
        assert np.array_equal(result.labels, segmenter.segment(image).labels)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_results_before_a_bad_image_are_given(segmenter, rgb, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("densezero.engine.segmenter.images_at_once", lambda *_: at_once)
    stream = segmenter.segment_many([rgb(20, 20), rgb(20, 30), rgb(20, 40), tmp_path / "missing.jpg", rgb(20, 20)])
    assert [next(stream).labels.shape for _ in range(3)] == [(20, 20), (20, 30), (20, 40)]
    with pytest.raises(InputError, match=r"missing\.jpg"):
        next(stream)


def test_the_pictures_of_a_folder_are_segmented(segmenter, photo):
    for inputs in (photo.parent, str(photo.parent), [photo.parent]):
        (result,) = segmenter.segment_many(densezero.find_images(inputs))
        assert result.image == photo
        assert np.array_equal(result.labels, segmenter.segment(photo).labels)


def test_a_name_in_place_of_an_encoder_is_refused():
    with pytest.raises(ModelError, match=r"from densezero\.load_encoder; got 'nano'"):
        Segmenter("nano", WORDS)


def test_nothing_is_read_before_it_is_asked_for(segmenter):
    segmenter.segment_many(pytest.fail(str(image)) for image in range(3))


@pytest.mark.parametrize(
    "image", ["photo.jpg", np.zeros((4, 5, 3), np.uint8), torch.zeros(3, 4, 5), Image.new("RGB", (5, 4))]
)
def test_one_image_in_place_of_many_is_refused(segmenter, image):
    with pytest.raises(InputError, match="Expected several images"):
        next(segmenter.segment_many(image))


def test_a_result_keeps_its_picture_when_the_caller_changes_the_array_or_the_folder(segmenter, photo, rgb, monkeypatch):
    array = rgb(60, 90)
    monkeypatch.chdir(photo.parent)
    results = [segmenter.segment(array), segmenter.segment(photo.name)]
    before = [np.asarray(result.overlay()) for result in results]
    again = [segmenter.segment(array), segmenter.segment(photo.name)]
    array[:] = 0
    monkeypatch.chdir("/")
    assert all(np.array_equal(np.asarray(one.overlay()), old) for one, old in zip(again, before, strict=True))


def test_templates_may_be_named(colour_encoder):
    assert Segmenter(colour_encoder, WORDS, templates="plain").templates == PLAIN


def test_a_short_line_says_what_a_result_is(segmenter, rgb):
    result = segmenter.segment(rgb(60, 90))
    line = repr(result)
    assert line.startswith("<Segmentation of 60 x 90 pixels, 4 classes: ")
    assert len(line) < 120
    assert f"{result.areas()[0].name} {result.areas()[0].share:.0%}" in line


def test_areas_count_every_class_and_masks_hold_their_pixels(segmenter, rgb):
    result = segmenter.segment(rgb(60, 90))
    areas = result.areas()
    assert sorted(area.name for area in areas) == ["boat", "grass", "house", "sky"]
    assert [area.pixels for area in areas] == sorted((area.pixels for area in areas), reverse=True)
    assert sum(area.pixels for area in areas) == 60 * 90
    for area in areas:
        assert result.mask(area.name).sum() == area.pixels == round(area.share * 60 * 90)
    assert np.array_equal(result.mask("grass"), result.labels == 2)


def test_a_mask_of_an_unknown_class_names_the_nearest(segmenter, rgb):
    with pytest.raises(VocabularyError, match=r"got 'gras'\. Did you mean 'grass'"):
        segmenter.segment(rgb(20, 20)).mask("gras")
    with pytest.raises(VocabularyError, match=r"got 'yacht'\. It is a word of the class 'boat'"):
        segmenter.segment(rgb(20, 20)).mask("yacht")
    with pytest.raises(VocabularyError, match="got 3"):
        segmenter.segment(rgb(20, 20)).mask(3)


def test_a_notebook_shows_the_overlay(segmenter, photo):
    result = segmenter.segment(photo)
    png = Image.open(io.BytesIO(result._repr_png_()))
    assert png.format == "PNG"
    assert np.array_equal(np.asarray(png), np.asarray(result.overlay()))
    assert result.overlay().size[0] >= 320


@pytest.mark.parametrize("ending", [".png", ".jpg", ".JPEG", ".json", ".geojson", ".npz"])
def test_a_result_is_saved_in_the_format_of_the_ending(colour_encoder, photo, tmp_path, ending):
    segmenter = Segmenter(colour_encoder, WORDS, "tips-simple", PLAIN, keep_scores=True)
    path = segmenter.segment(photo).save(tmp_path / "new" / f"result{ending}")
    assert path.is_file() and path.stat().st_size > 0
    if ending == ".png":
        assert np.array_equal(read_labels(path), segmenter.segment(photo).labels)
    if ending == ".npz":
        assert np.load(path)["scores"].shape == (4, 60, 90)


def test_saving_never_replaces_the_picture_and_other_files_on_demand_alone(segmenter, photo, tmp_path):
    result, before = segmenter.segment(photo), photo.read_bytes()
    (tmp_path / "link.png").symlink_to(photo)
    for path in (photo, tmp_path / "link.png"):
        with pytest.raises(OutputError, match="is the picture itself"):
            result.save(path, overwrite=True)
    assert photo.read_bytes() == before
    (tmp_path / "mine.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"mine\.png exists.*overwrite=True"):
        result.save(tmp_path / "mine.png")
    result.save(tmp_path / "mine.png", overwrite=True)
    assert np.array_equal(read_labels(tmp_path / "mine.png"), result.labels)


def test_an_unknown_ending_is_refused_with_those_that_are_known(segmenter, photo, tmp_path):
    with pytest.raises(OutputError, match=r"ends in one of \.png \(labels\), \.jpg \(overlay\).*got .*mask\.bmp"):
        segmenter.segment(photo).save(tmp_path / "mask.bmp")


def test_a_picture_that_has_changed_since_is_noticed(segmenter, photo, rgb):
    result = segmenter.segment(photo)
    Image.fromarray(rgb(10, 10)).save(photo)
    with pytest.raises(InputError, match=r"\(60, 90\) pixels, as its labels; it has \(10, 10\) now"):
        result.overlay()


def test_scores_are_kept_on_demand_alone(segmenter, colour_encoder, rgb):
    with pytest.raises(InputError, match=r"keep_scores=True"):
        segmenter.segment(rgb(20, 20)).scores()
    assert segmenter.segment(rgb(20, 20))._compute_scores is None, "a result holds no tensor"
    kept = Segmenter(colour_encoder, WORDS, "tips-simple", PLAIN, keep_scores=True).segment(rgb(20, 20))
    assert kept.scores().shape == (4, 20, 20)


def test_the_name_of_a_packaged_list_is_that_list(colour_encoder):
    assert Segmenter(colour_encoder, "cityscapes", templates=PLAIN).classes == load_packaged("cityscapes")
    assert Segmenter(colour_encoder, "sky, boat=yacht|ship", templates=PLAIN).classes.words[1] == (
        "boat",
        "yacht",
        "ship",
    )
    from_generator = Segmenter(colour_encoder, (name for name in ("sky", "sea")), templates=PLAIN)
    assert from_generator.classes.names == ("sky", "sea")


def test_a_list_of_a_users_own_never_takes_a_papers_constants(colour_encoder, tmp_path):
    (tmp_path / "voc21.txt").write_text("\n".join(load_packaged("voc21").names))
    own = densezero.load_class_list(tmp_path / "voc21.txt")
    assert Segmenter(colour_encoder, own, "ovss", PLAIN).protocol == find_protocol("ovss")
    packaged = Segmenter(colour_encoder, "voc21", "ovss", PLAIN).protocol
    assert packaged == find_protocol("ovss", "voc21") != find_protocol("ovss")


def test_own_text_embeddings_take_the_place_of_prompts(colour_encoder, rgb):
    prompted = Segmenter(colour_encoder, WORDS, "tips-simple", PLAIN)
    vectors = prompted.text_embeddings
    assert vectors.shape == (6, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    colour_encoder.encode_text = lambda prompts: pytest.fail("a text was encoded")
    for given in (vectors, 3 * vectors, torch.from_numpy(vectors)):
        own = Segmenter(colour_encoder, WORDS, "tips-simple", text_embeddings=given)
        assert np.array_equal(own.segment(rgb(60, 90)).labels, prompted.segment(rgb(60, 90)).labels)
    one_each = Segmenter(colour_encoder, WORDS, "tips-simple", text_embeddings=vectors[[0, 1, 4, 5]])
    assert one_each.rule.bank.class_of.tolist() == [0, 1, 2, 3]
    assert one_each.provenance.templates == "own text embeddings"
    assert one_each.provenance.templates_sha256 != own.provenance.templates_sha256


@pytest.mark.parametrize(
    "vectors", [np.ones((3, 8)), np.ones((4, 7)), np.ones(8), np.zeros((4, 8)), np.full((4, 8), np.nan)]
)
def test_own_text_embeddings_that_do_not_fit_are_refused(colour_encoder, vectors):
    with pytest.raises(VocabularyError, match="Expected text embeddings"):
        Segmenter(colour_encoder, WORDS, text_embeddings=vectors)


def test_a_segmenter_and_its_results_pickle(colour_encoder, rgb):
    segmenter = Segmenter(colour_encoder, WORDS, "tips-slide", PLAIN, keep_scores=True)
    again = pickle.loads(pickle.dumps(segmenter))
    result = pickle.loads(pickle.dumps(segmenter.segment(rgb(40, 60))))
    assert np.array_equal(again.segment(rgb(40, 60)).labels, result.labels)
    np.testing.assert_array_equal(again.segment(rgb(40, 60)).scores(), result.scores())
    assert again.provenance == segmenter.provenance == result.provenance


def test_a_callers_torch_settings_change_no_label(colour_encoder, rgb):
    image = rgb(40, 60)

    def segment():
        segmenter = Segmenter(colour_encoder, WORDS, protocol, PLAIN, keep_scores=True)
        result = segmenter.segment(image)
        return result.labels, result.scores(), segmenter.text_embeddings

    for preset in ("tips-slide", "tips-simple", "ovss"):
        protocol = replace(find_protocol(preset), background=Background(threshold=0.3))
        expected = segment()
        with callers_torch_settings():
            made = segment()
        assert all(np.array_equal(*pair) for pair in zip(made, expected, strict=True))


def test_supervision_gets_a_mask_a_box_and_a_name_for_each_class(segmenter, rgb):
    sv = pytest.importorskip("supervision")
    result = segmenter.segment(rgb(60, 90))
    detections = result.to_supervision()
    assert isinstance(detections, sv.Detections)
    present = np.unique(result.labels)
    assert detections.class_id.tolist() == present.tolist()
    assert list(detections["class_name"]) == [result.classes.names[index] for index in present]
    assert detections.area.tolist() == [int((result.labels == index).sum()) for index in present]


def test_without_supervision_the_message_says_what_to_install(segmenter, rgb, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(InputError, match="pip install supervision"):
        segmenter.segment(rgb(20, 20)).to_supervision()
