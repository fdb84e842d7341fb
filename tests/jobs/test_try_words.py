"""``densezero try``: several ways to segment one image, one pass of the encoder, one picture."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import densezero
import densezero.jobs.try_words as job
from densezero.cli.main import app
from densezero.engine.presets import find_protocol, with_changes
from densezero.errors import InputError, OutputError, ProtocolError, VocabularyError
from densezero.evaluation import side_by_side
from densezero.evaluation.side_by_side import RememberedEncoder, make_variants, share_as_first
from densezero.evaluation.try_settings import TrySettings
from densezero.output.segmentation import Segmentation
from densezero.progress import Listener
from densezero.vocabulary import ClassEntry, ClassList, parse_inline
from tests.conftest import ROOT

SCENE = ROOT / "assets/scenes/village.jpg"


class Results(Listener):
    def __init__(self):
        self.texts = []

    def result(self, text):
        self.texts.append(text)


def request(tmp_path, **changes):
    values = {"classes": ("sky, grass, house", "sky, cottage"), "model": "nano", "device": "cpu", "dtype": "float32"}
    return TrySettings(SCENE, tmp_path / "words.png", **{**values, **changes})


def test_lists_and_refinements_share_one_pass_and_give_the_labels_of_the_segmenter(tmp_path, monkeypatch):
    made = []
    wrap = RememberedEncoder.of
    monkeypatch.setattr(job.RememberedEncoder, "of", lambda encoder: made.append(wrap(encoder)) or made[0])
    results = Results()
    job.try_words(request(tmp_path, refine=("none", "grid")), results)
    assert made[0].passes == 1
    shares = [text for text in results.texts if "the first" in text]
    results.texts = [text for text in results.texts if "the first" not in text]
    assert len(shares) == 3
    assert [text.splitlines()[0] for text in results.texts] == [
        "3 classes: sky, grass, house; tips-slide", "3 classes: sky, grass, house; tips-slide, grid",
        "2 classes: sky, cottage; tips-slide", "2 classes: sky, cottage; tips-slide, grid",
    ]  # fmt: skip
    encoder = densezero.load_encoder("nano", device="cpu", dtype="float32")
    for words, refine, text in [
        ("sky, grass, house", None, results.texts[0]),
        ("sky, cottage", "grid", results.texts[3]),
    ]:
        segmenter = densezero.Segmenter(encoder, words, with_changes(find_protocol("tips-slide"), refine=refine))
        labels = segmenter.segment(SCENE).labels
        shares = np.bincount(labels.ravel(), minlength=len(segmenter.classes)) / labels.size
        for name, share in zip(segmenter.classes.names, shares, strict=True):
            assert (f"{name} {100 * share:.1f} %" in text) == (share > 0)
    with Image.open(tmp_path / "words.png") as picture:
        assert picture.size[0] > 1500  # three columns


def result(names, labels):
    """A result as ``try`` has it; only labels and classes count here."""
    return Segmentation(np.array(labels, np.uint8), parse_inline(names), None, np.zeros((1, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("names", "labels", "share"),
    [
        ("sky, sea, boat", [[0, 1, 2, 2]], 1.0),
        ("sky, sea, boat", [[0, 1, 2, 0]], 0.75),
        ("sea, boat, sky", [[2, 0, 1, 1]], 1.0),  # by name, whatever the order
        ("sky, water, boat", [[0, 1, 2, 2]], 1.0),  # water takes the place of sea
        ("sky, water, boat, grass", [[0, 1, 2, 2]], 0.75),  # lists of other lengths: by name alone
        ("boat, water, lake", [[1, 2, 0, 0]], 0.5),  # boat has a name in the first list, so it is no sky
    ],
)
def test_the_share_as_the_first_compares_classes_by_name_then_by_place(names, labels, share):
    assert share_as_first(result("sky, sea, boat", [[0, 1, 2, 2]]), result(names, labels)) == share


def test_all_panels_have_one_scale_whatever_their_legends(tmp_path, monkeypatch):
    drawn = []
    real = side_by_side.draw_figure
    monkeypatch.setattr(
        side_by_side, "draw_figure", lambda plan, rows, form: drawn.append((plan, rows)) or real(plan, rows, form)
    )
    job.try_words(request(tmp_path, classes=("sky, grass, house", "the blue sky of a summer evening, lawn, home")))
    (plan, rows) = drawn[0]
    assert len({panel.picture.shape for section in rows for row in section for panel in row}) == 1
    titles = [" ".join(lines) for head in plan.pages[0].heads for lines in head.captions]
    assert titles[0] == "image"
    assert "as the first" not in titles[1]
    assert titles[2].endswith(" % as the first; 3 classes: the blue sky of a summer evening, lawn, home")


def test_a_tiny_short_side_is_refused(tmp_path):
    with pytest.raises(ProtocolError, match="at least 32 pixels; got 31"):
        job.try_words(request(tmp_path, short_side_px=31))
    assert not (tmp_path / "words.png").exists()


def test_protocols_of_other_sizes_are_encoded_apart(tmp_path, monkeypatch):
    made = []
    wrap = RememberedEncoder.of
    monkeypatch.setattr(job.RememberedEncoder, "of", lambda encoder: made.append(wrap(encoder)) or made[0])
    job.try_words(request(tmp_path, classes=("sky, sea",), protocols=("tips-slide", "tips-simple")))
    assert made[0].passes == 2  # the windows, and the whole image


def test_a_name_has_one_colour_in_all_lists_and_titles_say_what_differs():
    own = ClassList("own", (ClassEntry("sea", (), (1, 2, 3)), ClassEntry("boat")))
    slide = find_protocol("tips-slide")
    first, second = make_variants([(parse_inline("sky, sea, boat"), slide), (own, slide)])
    colours = [dict(zip(v.classes.names, map(tuple, v.classes.colours.tolist()), strict=True)) for v in (first, second)]
    assert colours[0]["sea"] == colours[1]["sea"] == (1, 2, 3)
    assert colours[0]["boat"] == colours[1]["boat"]
    assert len(set(colours[0].values())) == 3
    assert first.title == "3 classes: sky, sea, boat"
    (alone,) = make_variants([(own, slide)])
    assert alone.title == "2 classes: sea, boat"
    both = make_variants([(own, slide), (own, with_changes(slide, refine="pamr"))])
    assert [variant.title for variant in both] == ["tips-slide", "tips-slide, pamr"]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"classes": ()}, InputError, "Expected words to try"),
        ({"classes": ("sky",) * 25}, InputError, "at most 24 ways"),
        ({"protocols": ("tips-fast",)}, densezero.errors.ProtocolError, "name of a protocol"),
        ({"refine": ("crf",)}, densezero.errors.ProtocolError, "Expected a refinement"),
        ({"vocabularies": ("ade20",)}, VocabularyError, "ade20k"),
        ({"dpi": 0}, densezero.errors.FeatureError, "dpi"),
    ],
)
def test_wrong_requests_are_sentences_and_write_nothing(tmp_path, changes, error, says):
    with pytest.raises(error, match=says):
        job.try_words(request(tmp_path, **changes))
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_picture_and_replaces_only_its_own(tmp_path):
    out = tmp_path / "words.png"
    words = ["try", str(SCENE), "-c", "sky, grass", "-c", "sky, meadow", "--model", "nano", "--out", str(out), "-q"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "2 classes: sky, meadow" in done.stdout
    assert CliRunner().invoke(app, words).exit_code == 0  # its own picture
    Image.new("RGB", (9, 9)).save(out)
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, OutputError)
    with Image.open(out) as kept:
        assert kept.size == (9, 9)
    missing = CliRunner().invoke(
        app, ["try", "none.jpg", "-c", "sky", "--model", "nano", "--out", str(tmp_path / "b.png")]
    )
    assert isinstance(missing.exception, InputError)
