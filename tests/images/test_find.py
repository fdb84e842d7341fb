import os
from pathlib import Path, PurePosixPath

import pytest

from densezero.errors import InputError
from densezero.images import FORMATS, FoundImage, find_images
from densezero.images import find as find_module


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def relatives(*inputs):
    return [str(image.relative) for image in find_images(inputs)]


def link_to(link, target):
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")


def test_folders_are_searched_to_the_bottom_and_relative_paths_kept(tmp_path):
    touch(tmp_path, "b/c/d.png", "a.jpg")
    assert find_images([tmp_path]) == (
        FoundImage(tmp_path / "a.jpg", PurePosixPath("a.jpg")),
        FoundImage(tmp_path / "b" / "c" / "d.png", PurePosixPath("b/c/d.png")),
    )


def test_the_order_goes_by_path_parts_not_by_the_joined_string(tmp_path):
    # joined, "a-b/1.png" sorts before "a/1.png", for "-" is less than "/"
    touch(tmp_path, "a-b/1.png", "a/1.png", "a/Z.png", "a/b.png", "a.png")
    assert relatives(tmp_path) == ["a/1.png", "a/Z.png", "a/b.png", "a-b/1.png", "a.png"]


def test_the_order_does_not_depend_on_the_order_of_the_file_system(tmp_path, monkeypatch):
    touch(tmp_path, "c.png", "a.png", "b/x.png", "b/a.png")
    expected = relatives(tmp_path)
    real_scandir = os.scandir

    class Reversed:
        def __init__(self, folder):
            with real_scandir(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *reason):
            return None

    monkeypatch.setattr(os, "scandir", Reversed)
    assert relatives(tmp_path) == expected == ["a.png", "b/a.png", "b/x.png", "c.png"]


def test_every_ending_counts_in_any_case_and_others_do_not(tmp_path):
    endings = [suffix for kind in FORMATS for suffix in kind.suffixes]
    touch(tmp_path, *(f"{index}{ending.upper()}" for index, ending in enumerate(endings)), "x.JpG")
    touch(tmp_path, "notes.txt", "photo.jpg.txt", "png", "labels.npz")
    assert len(relatives(tmp_path)) == len(endings) + 1


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    touch(tmp_path, "a.jpg", ".b.jpg", "._a.jpg", ".cache/c.jpg", "d/.e/f.jpg")
    assert relatives(tmp_path) == ["a.jpg"]


def test_a_hidden_folder_that_is_given_is_searched(tmp_path):
    touch(tmp_path, ".photos/a.jpg")
    assert relatives(tmp_path / ".photos") == ["a.jpg"]


def test_a_file_given_by_itself_is_taken_whatever_its_ending(tmp_path):
    touch(tmp_path, "deep/scan.dat")
    assert find_images([tmp_path / "deep" / "scan.dat"]) == (
        FoundImage(tmp_path / "deep" / "scan.dat", PurePosixPath("scan.dat")),
    )


def test_inputs_keep_the_order_in_which_they_were_given(tmp_path):
    touch(tmp_path, "z/1.png", "a/2.png", "m.png")
    assert relatives(tmp_path / "z", tmp_path / "m.png", tmp_path / "a") == ["1.png", "m.png", "2.png"]


def test_a_file_that_is_given_twice_is_taken_once(tmp_path, monkeypatch):
    touch(tmp_path, "d/a.jpg")
    monkeypatch.chdir(tmp_path)
    inputs = [Path("d/a.jpg"), tmp_path / "d", Path("d"), Path("d/../d/a.jpg")]
    assert find_images(inputs) == (FoundImage(Path("d/a.jpg"), PurePosixPath("a.jpg")),)


def test_one_name_in_two_folders_is_two_images(tmp_path):
    touch(tmp_path, "a/x.jpg", "b/x.jpg")
    assert relatives(tmp_path / "a", tmp_path / "b") == ["x.jpg", "x.jpg"]


def test_a_linked_file_is_an_image_of_its_own(tmp_path):
    touch(tmp_path, "pool/1.jpg", "set/2.jpg")
    link_to(tmp_path / "set" / "link.jpg", tmp_path / "pool" / "1.jpg")
    assert relatives(tmp_path / "set") == ["2.jpg", "link.jpg"]


def test_a_broken_link_is_kept_so_that_reading_it_says_so(tmp_path):
    touch(tmp_path, "a.jpg")
    link_to(tmp_path / "gone.jpg", tmp_path / "nowhere.jpg")
    link_to(tmp_path / "self.jpg", tmp_path / "self.jpg")
    assert relatives(tmp_path) == ["a.jpg", "gone.jpg", "self.jpg"]


def test_links_that_lead_in_circles_end(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/b/2.jpg")
    link_to(tmp_path / "a" / "b" / "up", tmp_path / "a")
    link_to(tmp_path / "a" / "here", tmp_path / "a")
    assert relatives(tmp_path / "a") == ["1.jpg", "b/2.jpg"]


def test_a_linked_folder_is_followed(tmp_path):
    touch(tmp_path, "pool/deep/1.jpg", "set/2.jpg")
    link_to(tmp_path / "set" / "more", tmp_path / "pool")
    assert relatives(tmp_path / "set") == ["2.jpg", "more/deep/1.jpg"]


def test_a_folder_under_two_names_goes_by_its_own(tmp_path):
    touch(tmp_path, "real/1.jpg")
    link_to(tmp_path / "alias", tmp_path / "real")
    link_to(tmp_path / "still-another", tmp_path / "real")
    assert relatives(tmp_path) == ["real/1.jpg"]


def test_an_input_that_does_not_exist_is_named(tmp_path):
    touch(tmp_path, "a.jpg")
    with pytest.raises(InputError, match="missing") as caught:
        find_images([tmp_path / "a.jpg", tmp_path / "missing"])
    assert "No such file" in str(caught.value)


def test_no_input_at_all_is_refused():
    with pytest.raises(InputError, match="none was given"):
        find_images([])


def test_no_images_names_the_folders_and_the_endings_looked_for(tmp_path):
    touch(tmp_path, "full/a.jpg", "empty/b.txt", "bare/c.txt")
    with pytest.raises(InputError) as caught:
        find_images([tmp_path / "empty", tmp_path / "full", tmp_path / "bare"])
    message = str(caught.value)
    assert str(tmp_path / "empty") in message
    assert str(tmp_path / "bare") in message
    assert str(tmp_path / "full") not in message
    assert all(suffix in message for kind in FORMATS for suffix in kind.suffixes)


def test_a_folder_that_cannot_be_listed_is_an_error_not_an_empty_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    real_scandir = os.scandir

    def refuse_locked(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return real_scandir(folder)

    monkeypatch.setattr(find_module.os, "scandir", refuse_locked)
    with pytest.raises(InputError, match=r"locked: .*Permission denied"):
        find_images([tmp_path])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list any folder")
def test_a_folder_without_permission_is_an_error(tmp_path):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(InputError, match="locked"):
            find_images([tmp_path])
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_a_path_that_no_file_can_have_is_refused():
    with pytest.raises(InputError, match="cannot be accessed"):
        find_images([Path("a\0b.jpg")])
