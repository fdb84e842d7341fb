import json
import tracemalloc
from dataclasses import asdict

import pytest

from densezero.errors import OutputError
from densezero.jobs.manifest import JOURNAL, MANIFEST, ImageEntry, Manifest

REQUEST = {"model": "nano", "classes": ["sky", "sea"]}


def entry(relative, **changes):
    values = {"outputs": (f"labels/{relative}.png",), "hw": (3, 4), "pixels": {0: 5, 7: 7}, "seconds": 0.25}
    return ImageEntry(relative, "done", f"/in/{relative}", "12-34", **{**values, **changes})


def manifest_of(folder, entries=(), overwrite=False):
    folder.mkdir(exist_ok=True)
    manifest = Manifest(folder, REQUEST, overwrite)
    for one in entries:
        manifest.add(one)
    return manifest


@pytest.mark.parametrize("names", [(), ("a",), ("c", "a", "b\u2028[]\x85\udce9", "é\n")])
def test_the_file_is_what_json_would_write_at_once(tmp_path, names):
    entries = [entry(name) for name in names]
    manifest_of(tmp_path, entries).finish({"done": len(names), "note": "[]"})
    ordered = [asdict(one) for one in sorted(entries, key=lambda one: one.relative)]
    whole = {"done": len(names), "note": "[]", "request": {**REQUEST, "hash_version": 2}, "images": ordered}
    written = (tmp_path / MANIFEST).read_bytes()
    assert written == json.dumps(whole, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")
    assert not (tmp_path / JOURNAL).exists()


def test_entries_come_back_by_name_from_this_run_and_those_before(tmp_path):
    manifest_of(tmp_path, [entry("c"), entry("a")]).finish({})
    manifest_of(tmp_path, [entry("b", pixels=None)])  # killed: its entries are in the journal alone
    manifest = manifest_of(tmp_path, [entry("a", seconds=9.0), entry("\x85d")])
    expected = [entry("a", seconds=9.0), entry("b", pixels=None), entry("c"), entry("\x85d")]
    assert list(manifest.entries()) == expected
    assert len(manifest) == 4


def test_an_image_is_done_while_stamp_and_files_are_the_same(tmp_path):
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "empty").touch()
    manifest = manifest_of(tmp_path, [entry("a"), ImageEntry("b", "failed", "/in/b", "12-34", error="broken")])
    assert manifest.is_done("a", "12-34", [tmp_path / "file"])
    assert not manifest.is_done("a", "12-34", [tmp_path / "file", tmp_path / "empty"])
    assert not manifest.is_done("a", "12-35", [tmp_path / "file"])
    assert not manifest.is_done("a", "12-34", [tmp_path / "file", tmp_path / "gone"])
    assert not manifest.is_done("b", "12-34", [tmp_path / "file"])
    assert not manifest.is_done("c", "12-34", [tmp_path / "file"])


def test_a_line_that_a_kill_cut_and_what_follows_it_is_forgotten(tmp_path):
    manifest_of(tmp_path, [entry("a"), entry("b")])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-9])
    assert [one.relative for one in manifest_of(tmp_path, [entry("c")]).entries()] == ["a", "c"]


def test_overwriting_forgets_what_was_there(tmp_path):
    manifest_of(tmp_path, [entry("a")]).finish({})
    assert len(manifest_of(tmp_path, overwrite=True)) == 0


def test_a_journal_that_another_run_took_is_named(tmp_path):
    manifest = manifest_of(tmp_path, [entry("a")])
    (tmp_path / JOURNAL).unlink()
    with pytest.raises(OutputError, match=r"\.run\.journal cannot be read again"):
        manifest.finish({})
    (tmp_path / JOURNAL).write_text("short\n")
    with pytest.raises(OutputError, match="changed by another run"):
        manifest.finish({})
    assert not (tmp_path / MANIFEST).exists()


def test_memory_hardly_grows_with_the_entries(tmp_path):
    manifest = manifest_of(tmp_path)
    tracemalloc.start()
    try:
        for index in range(1000):
            manifest.add(entry(f"image-{index:06}.jpg", pixels={k: 1000 + k for k in range(150)}))
        assert tracemalloc.get_traced_memory()[0] < 1000 * 600  # bytes; an entry itself takes 14,000
        tracemalloc.reset_peak()
        manifest.finish({})
        assert tracemalloc.get_traced_memory()[1] < 1000 * 600 + 500_000
    finally:
        tracemalloc.stop()


def test_results_of_a_version_whose_hashes_cover_less_are_refused_with_the_reason(tmp_path):
    Manifest(tmp_path, {"weights_sha256": "a" * 64}, overwrite=False).finish({})
    manifest = json.loads((tmp_path / "run.json").read_text())
    del manifest["request"]["hash_version"]
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(OutputError, match=r"before 0\.2\.0, whose hashes leave out .* tokenizer.*--overwrite"):
        Manifest(tmp_path, {"weights_sha256": "b" * 64}, overwrite=False)
    Manifest(tmp_path, {"weights_sha256": "b" * 64}, overwrite=True)


def test_an_output_that_was_made_of_another_picture_is_refused(tmp_path):
    first, second, link = tmp_path / "first.png", tmp_path / "second.png", tmp_path / "link.png"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    link.symlink_to(first)
    out = tmp_path / "out"
    out.mkdir()
    manifest = Manifest(out, REQUEST, False, {out / "a.png": first})
    manifest.add(ImageEntry("a.png", "done", str(first), "1-1", outputs=("a.png",)))
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputError, match=r"was made of .*first\.png.*would make it of .*second\.png.*--overwrite"):
        Manifest(out, REQUEST, False, {out / "a.png": second})
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    for same in ({out / "a.png": first}, {out / "a.png": link}, {out / "b.png": second}):
        assert len(Manifest(out, REQUEST, False, same)) == 1
    assert len(Manifest(out, REQUEST, True, {out / "a.png": second})) == 0
