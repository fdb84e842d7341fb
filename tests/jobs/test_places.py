"""An output that is an input is refused before any work, whatever hides it."""

import os
from dataclasses import replace

import pytest

from densezero.encoders.catalog import model_files
from densezero.errors import InputError, OutputError
from densezero.features.choices import GridChoice
from densezero.images.file_state import is_unchanged, sha256_of, stamp_of
from densezero.jobs.evaluate.report import draw_report
from densezero.jobs.evaluate.settings import ReportSettings
from densezero.jobs.features.grids import write_features
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import FeaturesSettings, PcaSettings, SimilaritySettings
from densezero.jobs.features.similarity import draw_similarity
from densezero.jobs.segment import segment_images
from densezero.output.paths import refuse_unusable_outputs
from tests.evaluation.reports import make_report
from tests.jobs.photos import Recorder, settings, write_scenes


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(folder, work):
    before = snapshot(folder)
    with pytest.raises(OutputError, match="would be lost"):
        work()
    assert snapshot(folder) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("place", "save"), [("overlays/a.jpg", "overlay"), ("labels/a.png", "labels")])
def test_segment_refuses_to_replace_a_picture_that_it_reads(tmp_path, place, save, overwrite):
    write_scenes(tmp_path, [place])
    changes = settings([tmp_path / place], tmp_path, save=(save,), overwrite=overwrite)
    assert_refused(tmp_path, lambda: segment_images(changes))


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("linked", ["input", "output"])
def test_links_hide_nothing(tmp_path, link, linked):
    write_scenes(tmp_path, ["here/a.png", "out/labels/b.png"])
    given, output = tmp_path / "here" / "c.png", tmp_path / "out" / "labels" / "c.png"
    if linked == "input":
        (tmp_path / "out" / "labels" / "b.png").rename(output)
        link(output, given)
    else:
        (tmp_path / "here" / "a.png").rename(given)
        link(given, output)
    assert_refused(tmp_path, lambda: segment_images(settings([given], tmp_path / "out", overwrite=True)))


def test_a_linked_folder_hides_nothing(tmp_path):
    write_scenes(tmp_path, ["photos/a.png"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels").symlink_to(tmp_path / "photos")
    assert_refused(tmp_path, lambda: segment_images(settings([tmp_path / "photos" / "a.png"], tmp_path / "out")))


def test_segment_refuses_to_replace_its_class_list(tmp_path):
    write_scenes(tmp_path, ["in/a.png"])
    segment_images(settings([tmp_path / "in"], tmp_path / "out"))
    again = settings(
        [tmp_path / "in"], tmp_path / "out", classes=None, vocabulary=str(tmp_path / "out/classes.json"), overwrite=True
    )
    assert_refused(tmp_path, lambda: segment_images(again))


def test_segment_refuses_to_replace_its_templates(tmp_path):
    write_scenes(tmp_path, ["in/a.png"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "areas.csv").write_text("a photo of {}\n")
    templates = str(tmp_path / "out" / "areas.csv")
    request = settings([tmp_path / "in"], tmp_path / "out", templates=templates, save=("labels", "csv"))
    assert_refused(tmp_path, lambda: segment_images(request))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("shows", [("pca",), ("pca", "kmeans")])
def test_pca_refuses_to_replace_the_photographs(tmp_path, shows, overwrite):
    name = "a.png" if len(shows) == 1 else "pca/a.png"
    write_scenes(tmp_path, [name, "b.png"])
    request = PcaSettings((tmp_path / name,), tmp_path, models=("nano",), shows=shows, overwrite=overwrite)
    assert_refused(tmp_path, lambda: draw_pca(request))


def test_features_refuse_to_replace_the_weights(tmp_path):
    write_scenes(tmp_path, ["in/model.png"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.safetensors").write_bytes(b"weights")
    request = FeaturesSettings((tmp_path / "in",), tmp_path / "out", model=str(tmp_path / "out"), form="safetensors")
    assert_refused(tmp_path, lambda: write_features(request))


def test_outputs_beside_the_inputs_are_fine(tmp_path):
    write_scenes(tmp_path, ["a.png", "b.png"])
    outputs = [tmp_path / "b.png", tmp_path / "new.png"]
    refuse_unusable_outputs(tmp_path, outputs, [tmp_path / "a.png", tmp_path / "missing"])


def test_a_model_is_a_folder_of_files_a_file_or_a_name(tmp_path):
    write_scenes(tmp_path, ["model/a.png"])
    weights = tmp_path / "model" / "a.png"
    assert model_files(str(tmp_path / "model")) == [weights]
    with pytest.raises(OutputError, match=r"a\.png is one of the inputs, and would be lost\. Choose another --there"):
        refuse_unusable_outputs(weights, [weights], model_files(str(tmp_path / "model")), "--there", is_folder=False)


def test_one_output_file_is_no_folder(tmp_path):
    with pytest.raises(OutputError, match="Expected --out as a file"):
        refuse_unusable_outputs(tmp_path, [tmp_path], [], is_folder=False)


@pytest.mark.parametrize("command", ["segment", "pca", "features"])
def test_everything_that_is_refused_is_said_at_once(tmp_path, command):
    folder = write_scenes(tmp_path / "in", ["a.png", "a.jpg"])
    out = folder / "out"  # the next run would take its pictures for input
    with pytest.raises(InputError) as refused:
        if command == "segment":
            segment_images(settings(folder, out, classes="sky, sky"))
        elif command == "pca":
            draw_pca(PcaSettings((folder,), out, models=("nano",)), Recorder())
        else:
            write_features(FeaturesSettings((folder,), out, model="nano"))
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert "a.jpg" in lines[0] and "a.png" in lines[0]
    assert not out.exists()


def test_a_file_is_unchanged_by_its_stamp_or_by_its_content(tmp_path):
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"1")
    stamp, sha256 = stamp_of(file), sha256_of(file)
    assert is_unchanged(file, stamp, "")
    other.write_bytes(b"1")
    assert is_unchanged(other, stamp, sha256)
    assert not is_unchanged(other, stamp, "")
    status = file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # size, time and name are the same
    assert not is_unchanged(file, stamp, sha256)
    file.unlink()
    assert not is_unchanged(file, stamp, sha256)
    assert not is_unchanged(file, "unreadable", "")


def single_files(tmp_path, report):
    """Requests whose output is one file, by the file's name."""
    photo = write_scenes(tmp_path / "in", ["a.png"]) / "a.png"
    small = {"grid": GridChoice(8)}
    return {
        **{
            f"f.{form}": (draw_pca, PcaSettings((photo,), tmp_path / f"f.{form}", models=("nano",), **small))
            for form in ("png", "pdf", "svg")
        },
        "s.png": (
            draw_similarity,
            SimilaritySettings(photo, tmp_path / "s.png", ("sky",), model="nano", **small),
        ),
        "r.html": (draw_report, ReportSettings(report, tmp_path / "r.html", count=0)),
        "r/classes.png": (draw_report, ReportSettings(report, tmp_path / "r", count=0)),
    }


@pytest.mark.parametrize("name", ["f.png", "f.pdf", "f.svg", "s.png", "r.html", "r/classes.png"])
def test_a_single_file_replaces_its_own_kind_and_no_other(tmp_path, name):
    (tmp_path / "report.json").write_text(make_report().to_json())
    do, request = single_files(tmp_path, tmp_path / "report.json")[name]
    do(request)
    do(request)  # a figure of ours
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(OutputError, match=rf"{name} would be replaced.*--overwrite"):
        do(request)
    assert (tmp_path / name).read_bytes() == b"mine"
    recorder = Recorder()
    do(replace(request, overwrite=True), recorder)
    assert (tmp_path / name).read_bytes() != b"mine"
    assert any(f"replacing {tmp_path / name}" in note for note in recorder.notes)
