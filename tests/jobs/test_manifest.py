import json
import tracemalloc
from dataclasses import replace

import pytest

from densezero.errors import OutputError
from densezero.jobs.manifest import JOURNAL, MANIFEST, Earlier, ImageEntry, Manifest, read_earlier
from densezero.jobs.places import OutputFolder

REQUEST = {"model": "nano", "classes": ["sky", "sea"]}


def entry(relative, **changes):
    values = {"outputs": (f"labels/{relative}.png",), "hw": (3, 4), "pixels": {0: 5, 7: 7}, "seconds": 0.25}
    return replace(ImageEntry(relative, "done", f"/in/{relative}", "12-34", "ab", **values), **changes)


def manifest_of(root, entries=(), files=(), pieces=()):
    root.mkdir(exist_ok=True)
    folder = OutputFolder(root)
    manifest = Manifest(folder, REQUEST)
    manifest.start(read_earlier(folder), files, pieces)
    for one in entries:
        manifest.add(one)
    return manifest


@pytest.mark.parametrize("names", [(), ("a",), ("c", "a", "b\u2028[]\x85\udce9", "é\n")])
def test_the_file_is_what_json_would_write_at_once(tmp_path, names):
    entries = [entry(name) for name in names]
    manifest_of(tmp_path, entries, ["b.csv", "a.csv"]).finish({"done": len(names), "note": "[]"})
    whole = {
        "version": 2,
        "done": len(names),
        "note": "[]",
        "files": ["a.csv", "b.csv"],
        "request": {**REQUEST, "hash_version": 2},
        "images": [one.to_json() for one in sorted(entries, key=lambda one: one.relative)],
    }
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
    assert manifest.get("a") == expected[0]
    assert manifest.get("z") is None


def test_what_earlier_runs_left_is_read_from_the_journal_and_from_the_manifest(tmp_path):
    manifest = manifest_of(tmp_path, [entry("a"), entry("b"), entry("a", status="failed", outputs=())], ["x.csv"])
    manifest.forget(["b"])
    manifest.add(entry("c", pieces=[[1], [2]]))
    earlier = read_earlier(manifest.folder)
    left = {"a": entry("a", status="failed", outputs=()), "c": entry("c", pieces=[])}
    assert earlier == Earlier(manifest.request, {"x.csv"}, left, is_journal=True)
    assert earlier.owned == {"labels/c.png", "x.csv", MANIFEST}
    manifest.finish({})
    assert read_earlier(manifest.folder) == replace(earlier, is_journal=False)
    assert json.loads((tmp_path / MANIFEST).read_text())["images"][1]["pieces"] == 2


def test_an_empty_folder_holds_nothing(tmp_path):
    assert read_earlier(OutputFolder(tmp_path)) == Earlier()
    assert Earlier().owned == set()


def test_pieces_of_an_ended_run_come_from_its_files_and_where_they_are_lost_the_image_is_begun_again(tmp_path):
    entries = [entry("a", pieces=[[1]]), entry("b", pieces=None), entry("c", pieces=[[2]]), entry("d", pieces=[])]
    manifest_of(tmp_path, entries).finish({})
    manifest = manifest_of(tmp_path, pieces=[("a", [[1]]), ("d", [])])
    assert list(manifest.entries()) == [entries[0], entries[1], entry("c", status="begun", pieces=None), entries[3]]


def test_a_journal_goes_on_in_place(tmp_path):
    manifest_of(tmp_path, [entry("a", pieces=[[1]])])
    before = (tmp_path / JOURNAL).read_bytes()
    manifest = manifest_of(tmp_path, files=["x.csv"])
    assert (tmp_path / JOURNAL).read_bytes().startswith(before)
    assert manifest.get("a").pieces == [[1]]


def test_a_line_that_a_kill_cut_is_forgotten(tmp_path):
    manifest_of(tmp_path, [entry("a"), entry("b")])
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-9])
    assert [one.relative for one in manifest_of(tmp_path, [entry("c")]).entries()] == ["a", "c"]


NAMED = {"relative": "a", "status": "done", "source": "", "stamp": ""}
ODD = [
    {**NAMED, "relative": 1},
    {**NAMED, "odd": 1},
    {**NAMED, "hw": [1]},
    {**NAMED, "pieces": "abc"},
    {**NAMED, "pixels": [3]},
    {**NAMED, "confidence": "high"},
    {**NAMED, "outputs": ["../a.png"]},
    {**NAMED, "outputs": ["/a.png"]},
    {**NAMED, "outputs": [3]},
    {**NAMED, "hw": [1e999, 3]},
    {**NAMED, "pixels": {"0": 1e999}},
    {"relative": "a"},
]


def assert_refused(folder):
    with pytest.raises(OutputError, match=r"cannot be read as the record of an earlier run.*--overwrite"):
        read_earlier(OutputFolder(folder))


@pytest.mark.parametrize("values", [*ODD, 7, None, {"files": ["../a"]}])
def test_an_odd_entry_is_refused_with_a_way_out(tmp_path, values):
    (tmp_path / MANIFEST).write_text(json.dumps({"version": 2, "images": [values], "request": {}}))
    assert_refused(tmp_path)


@pytest.mark.parametrize("values", [*ODD, {"files": ["../a"]}, {"files": 3}, {"gone": 3}])
def test_an_odd_line_is_refused_with_a_way_out(tmp_path, values):
    (tmp_path / JOURNAL).write_text(json.dumps({"journal": 2, "request": {}}) + "\n" + json.dumps(values) + "\n")
    assert_refused(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": [], "request": 3}', '{"images": 3}', "[" * 99_999])
def test_a_damaged_manifest_is_refused_with_a_way_out(tmp_path, content):
    (tmp_path / MANIFEST).write_text(content)
    assert_refused(tmp_path)


def test_a_journal_that_another_program_took_is_named(tmp_path):
    manifest = manifest_of(tmp_path, [entry("a")])
    (tmp_path / JOURNAL).unlink()
    with pytest.raises(OutputError, match=r"\.run\.journal cannot be read again"):
        manifest.finish({})
    (tmp_path / JOURNAL).write_text("short\n")
    with pytest.raises(OutputError, match="changed by another program"):
        manifest.finish({})
    assert not (tmp_path / MANIFEST).exists()


def test_the_journal_stays_until_the_manifest_is_on_the_device(tmp_path, monkeypatch):
    manifest = manifest_of(tmp_path, [entry("a")])

    def full(path, write, *, durable=False):
        assert durable
        raise OutputError("cannot write")

    monkeypatch.setattr("densezero.jobs.manifest.write_atomically", full)
    with pytest.raises(OutputError, match="cannot write"):
        manifest.finish({})
    assert read_earlier(manifest.folder).entries == {"a": entry("a")}


def test_memory_hardly_grows_with_the_entries(tmp_path):
    manifest = manifest_of(tmp_path)
    tracemalloc.start()
    try:
        for index in range(1000):
            pixels = {k: 1000 + k for k in range(150)}
            manifest.add(entry(f"image-{index:06}.jpg", pixels=pixels, pieces=[[0, "x" * 5000]]))
        assert tracemalloc.get_traced_memory()[0] < 1000 * 600  # bytes; an entry itself takes 19,000
        tracemalloc.reset_peak()
        manifest.finish({})
        assert tracemalloc.get_traced_memory()[1] < 1000 * 600 + 500_000
    finally:
        tracemalloc.stop()
