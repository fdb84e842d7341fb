import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from densezero.errors import InputError
from densezero.images import Box
from densezero.pretrain.data import Batches, FolderSource, Sample, ShardSource, Skipped
from densezero.pretrain.data.crops import random_box, resized_crop

RNG = np.random.default_rng(0)


class ListSource:
    """Samples in memory. Those of ``broken`` cannot be read."""

    def __init__(self, samples, broken=()):
        self.samples, self.broken, self.skipped = samples, set(broken), Skipped()

    def __len__(self):
        return len(self.samples)

    def read(self, index, rng):
        if index in self.broken:
            raise InputError(f"sample {index}: broken")
        return self.samples[index]

    def describe(self):
        return {}


def sample(index, hw=(40, 50), alt="alt {}", short="short {}", long="long {}"):
    rgb = np.random.default_rng(index).integers(0, 256, (*hw, 3), dtype=np.uint8)
    return Sample(rgb, alt.format(index), short.format(index), long.format(index))


def make_batches(source, **changes):
    settings = {
        "seed": 3, "side_px": 28, "patch_px": 14, "batch": 4, "mask_ratio": 0.75, "local_crops": 2, "local_px": 14,
        "caption_kind": "both",
    }  # fmt: skip
    return Batches(source, **(settings | changes))


@pytest.fixture
def numbered():
    return ListSource([sample(index) for index in range(10)])


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def joined(parts):
    """The batches of several ranks, one after the other."""
    columns = zip(*parts, strict=True)
    return [torch.cat(c) if isinstance(c[0], torch.Tensor) else [text for part in c for text in part] for c in columns]


# --- batches


def test_a_batch_has_the_stated_shapes_and_ranges(numbered):
    batch = make_batches(numbered).at(0)
    assert batch.pixels.shape == (4, 3, 28, 28)
    assert batch.local.shape == (4, 2, 3, 14, 14)
    for pixels in (batch.pixels, batch.local):
        assert pixels.dtype == torch.float32
        assert pixels.min() >= 0
        assert pixels.max() <= 1
    assert batch.mask.dtype == torch.bool
    assert batch.mask.sum(1).tolist() == [3, 3, 3, 3]
    assert make_batches(numbered, local_crops=0).at(0).local.shape == (4, 0, 3, 14, 14)


def test_the_same_step_gives_the_same_batch_in_any_order_and_another_step_or_seed_does_not(numbered):
    one, other = make_batches(numbered), make_batches(numbered)
    later = other.at(7)
    assert_same(one.at(2), other.at(2))
    assert_same(one.at(7), later)
    assert not torch.equal(one.at(2).pixels, one.at(3).pixels)
    assert not torch.equal(one.at(2).pixels, make_batches(numbered, seed=4).at(2).pixels)


def test_a_sample_is_cropped_and_masked_in_another_way_in_each_epoch():
    batches = make_batches(ListSource([sample(0)]), batch=1, side_px=112)
    first, second = batches.at(0), batches.at(1)
    assert not torch.equal(first.pixels, second.pixels)
    assert not torch.equal(first.local, second.local)
    assert not torch.equal(first.mask, second.mask)


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_parts_of_all_ranks_are_the_batch_of_one(numbered, ranks):
    whole = make_batches(numbered).at(5)
    parts = [make_batches(numbered).at(5, rank, ranks) for rank in range(ranks)]
    assert len(parts[0].alt) == 4 // ranks
    assert_same(joined(parts), list(whole))


def test_every_sample_comes_once_in_an_epoch_and_the_order_changes(numbered):
    batches = make_batches(numbered)
    seen = [alt for step in range(5) for alt in batches.at(step).alt]  # 20 images: two epochs
    assert sorted(seen[:10]) == sorted(seen[10:]) == sorted(f"alt {index}" for index in range(10))
    assert seen[:10] != seen[10:]


def test_the_kind_of_caption_and_what_replaces_a_missing_one():
    def texts(kind, **texts):
        source = ListSource([sample(index, **texts) for index in range(20)])
        batch = make_batches(source, batch=20, caption_kind=kind).at(0)
        return {text.split(" ")[0] for text in batch.alt}, {text.split(" ")[0] for text in batch.captions}

    assert texts("short") == ({"alt"}, {"short"})
    assert texts("long") == ({"alt"}, {"long"})
    assert texts("both") == ({"alt"}, {"short", "long"})
    assert texts("long", long="") == ({"alt"}, {"short"})
    assert texts("short", short="") == ({"alt"}, {"long"})
    assert texts("both", short="", long="") == ({"alt"}, {"alt"})
    assert texts("both", alt="") == ({"short"}, {"short", "long"})
    assert texts("both", alt="", short="") == ({"long"}, {"long"})


def test_a_huge_caption_is_cut_where_the_model_no_longer_reads_it(tokenizer):
    huge = "green tree on snow " * 50_000
    source = ListSource([sample(index, alt=huge, long=huge) for index in range(4)])
    batch = make_batches(source, caption_kind="long").at(0)
    assert {len(text) for text in (*batch.alt, *batch.captions)} == {4096}
    assert torch.equal(tokenizer(batch.alt[:1]).ids, tokenizer([huge]).ids)


def test_images_whose_caption_speaks_of_left_or_right_are_not_mirrored():
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:, 20:] = 255

    def darker_on_the_right(text):
        batches = make_batches(ListSource([Sample(rgb, text, "", "")] * 40), batch=40)
        views = batches.at(0).pixels.mean(1)
        return (views[:, :, 0] > views[:, :, -1]).any(1).float().mean().item()

    assert darker_on_the_right("a car left of a tree") == 0
    assert 0.2 < darker_on_the_right("a car leftover") < 0.8


def test_a_broken_sample_is_replaced_by_the_next_one_and_named_once():
    source = ListSource([sample(index) for index in range(10)], broken=[3])
    batches = make_batches(source, batch=5)
    seen = [alt for step in range(4) for alt in batches.at(step).alt]
    assert sorted(seen[:10]) == sorted([f"alt {i}" for i in range(10) if i != 3] + ["alt 4"])
    assert batches.skipped.describe() == ["1 passed over: cannot be read (sample 3: broken)"]


def test_a_batch_of_which_more_than_half_is_broken_is_refused():
    samples = [sample(index) for index in range(8)]
    make_batches(ListSource(samples, broken=range(4)), batch=8).at(0)
    with pytest.raises(InputError, match="sample 3: broken"):
        make_batches(ListSource(samples, broken=range(5)), batch=8).at(0)
    with pytest.raises(InputError, match="in a row"):
        make_batches(ListSource(samples, broken=range(8)), batch=1).at(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side_px": 30}, "whole patches"),
        ({"mask_ratio": 1.5}, "mask ratio"),
        ({"caption_kind": "alt"}, "short, long or both"),
        ({"batch": 11}, "batch of 1 to 10"),
    ],
)
def test_settings_out_of_range_are_refused(numbered, changes, message):
    with pytest.raises(InputError, match=message):
        make_batches(numbered, **changes)
    with pytest.raises(InputError, match="3 ranks"):
        make_batches(numbered).at(0, 0, 3)


# --- crops


def test_boxes_have_the_wanted_area_and_ratio_and_lie_inside():
    rng = np.random.default_rng(0)
    for hw in ((200, 300), (224, 224)):
        boxes = [random_box(rng, hw, (0.05, 0.3)) for _ in range(200)]
        shares = [(b.bottom - b.top) * (b.right - b.left) / (hw[0] * hw[1]) for b in boxes]
        ratios = [(b.right - b.left) / (b.bottom - b.top) for b in boxes]
        assert 0.048 < min(shares) < 0.07 < 0.28 < max(shares) < 0.305
        assert 0.73 < min(ratios) < 0.8 < 1.25 < max(ratios) < 1.37
        assert all(b.bottom <= hw[0] and b.right <= hw[1] for b in boxes)


def test_a_long_and_narrow_image_gives_its_centre():
    assert random_box(np.random.default_rng(0), (30, 3000), (0.9, 1.0)) == Box(0, 1480, 30, 1520)
    assert random_box(np.random.default_rng(0), (3000, 30), (0.9, 1.0)) == Box(1480, 0, 1520, 30)
    assert random_box(np.random.default_rng(0), (1, 1), (0.4, 1.0)) == Box(0, 0, 1, 1)


def test_a_crop_of_the_same_size_is_a_copy_and_a_resized_one_is_a_mean():
    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    crop = resized_crop(rgb, Box(2, 4, 6, 8), 4, flip=False)
    assert np.array_equal(crop.permute(1, 2, 0).numpy(), rgb[2:6, 4:8])
    assert torch.equal(resized_crop(rgb, Box(2, 4, 6, 8), 4, flip=True), crop.flip(-1))
    halves = np.zeros((4, 4, 3), np.uint8)
    halves[:, 2:] = 200
    assert resized_crop(halves, Box(0, 0, 4, 4), 1, flip=False).flatten().tolist() == [100, 100, 100]


# --- folders and shards


def png(rgb):
    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "png")
    return content.getvalue()


def write_files(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def write_shard(file, members):
    with tarfile.open(file, "w") as shard:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            shard.addfile(info, io.BytesIO(content))
    return file


def sample_files(count=3):
    files = {}
    for index in range(count):
        images = sample(index)
        files |= {f"a/{index}.png": png(images.rgb), f"a/{index}.txt": b" " + images.alt.encode() + b"\n"}
        files |= {f"a/{index}.short.txt": images.short.encode(), f"a/{index}.long.txt": images.long.encode()}
    return files


def test_a_shard_and_a_folder_of_the_same_content_give_the_same_samples(tmp_path):
    files = sample_files()
    write_files(tmp_path / "folder", files)
    shard = write_shard(tmp_path / "0.tar", files)
    sources = FolderSource(tmp_path / "folder"), ShardSource([shard])
    for source in sources:
        assert len(source) == 3
        assert source.describe()["samples"] == 3
        assert source.skipped.describe() == []
        for index in range(3):
            read, expected = source.read(index, RNG), sample(index)
            assert np.array_equal(read.rgb, expected.rgb)
            assert read[1:] == expected[1:]
    assert_same(make_batches(sources[0], batch=3).at(1), make_batches(sources[1], batch=3).at(1))


def test_samples_of_files_have_no_labels(tmp_path):
    write_files(tmp_path / "folder", sample_files(1))
    shard = write_shard(tmp_path / "0.tar", sample_files(1))
    assert FolderSource(tmp_path / "folder").read(0, RNG).labels is None
    assert ShardSource([shard]).read(0, RNG).labels is None


def test_images_of_a_folder_without_captions_are_named_and_counted(tmp_path):
    write_files(tmp_path, sample_files(1) | {"b.png": png(sample(5).rgb), "c.png": b"", "notes.pdf": b"x"})
    source = FolderSource(tmp_path)
    assert len(source) == 1
    assert source.skipped.describe() == [
        "2 passed over: image without a caption file (b.png, c.png)",
        "1 passed over: no image file (.pdf)",
    ]
    (tmp_path / "a" / "0.txt").unlink()
    assert FolderSource(tmp_path).read(0, RNG).alt == ""
    for kind in ("short", "long"):
        (tmp_path / "a" / f"0.{kind}.txt").unlink()
    with pytest.raises(InputError, match="text files beside the images"):
        FolderSource(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a/0.png", b"not an image", r"0\.png: expected an image"),
        ("a/0.png", png(sample(0).rgb)[:500], r"0\.png: expected a whole PNG"),
        ("a/0.long.txt", b"\xff\xfe\xfa", r"0\.long\.txt: expected a text in UTF-8"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content, message):
    files = sample_files(1) | {name: content}
    write_files(tmp_path / "folder", files)
    with pytest.raises(InputError, match=message):
        FolderSource(tmp_path / "folder").read(0, RNG)
    with pytest.raises(InputError, match=message.replace("0", r"0\.tar: a/0", 1)):
        ShardSource([write_shard(tmp_path / "0.tar", files)]).read(0, RNG)


def test_a_sample_whose_texts_are_blank_is_refused(tmp_path):
    files = {"0.png": png(sample(0).rgb), "0.txt": b" \n"}
    write_files(tmp_path / "folder", files)
    for source in (FolderSource(tmp_path / "folder"), ShardSource([write_shard(tmp_path / "0.tar", files)])):
        with pytest.raises(InputError, match="all its texts are empty"):
            source.read(0, RNG)


def test_keys_endings_and_json_of_a_shard(tmp_path):
    image = png(sample(0).rgb)
    members = {
        "./v1.0/x.PNG": image,
        "./v1.0/x.json": json.dumps({"caption": "c", "short": "s", "width": 50}).encode(),
        "./v1.0/x.cls": b"7",
        "y.png": image,
        "y.txt": b"text",
        "y.json": json.dumps({"alt": "unused", "long": "l"}).encode(),
    }
    source = ShardSource([write_shard(tmp_path / "0.tar", members)])
    assert [sample.key for sample in source._samples] == ["v1.0/x", "y"]
    assert [source.read(index, RNG)[1:] for index in range(2)] == [("c", "s", "", None), ("text", "", "l", None)]


def test_members_that_cannot_be_used_are_named_and_counted(tmp_path):
    image = png(sample(0).rgb)
    members = {
        "good.png": image, "good.txt": b"fine", "alone.png": image, "text.txt": b"no image", "empty.png": image,
        "empty.txt": b"", "bad.png": image, "bad.json": b"{", "list.png": image, "list.json": b"[1]",
        "none.png": image, "none.json": b'{"caption": 3}', ".hidden": b"x", "README": b"x",
    }  # fmt: skip
    shard = write_shard(tmp_path / "0.tar", members)
    with tarfile.open(shard, "a") as again:
        info = tarfile.TarInfo("good.txt")
        again.addfile(info)
    source = ShardSource([shard])
    assert len(source) == 1
    assert source.read(0, RNG).alt == "fine"
    assert dict(source.skipped.counts) == {
        "member without a key or an ending": 2,
        "member with the name of an earlier one": 1,
        "sample without an image": 1,
        "sample without a caption": 3,
        "captions that cannot be read": 2,
    }
    named = " ".join(name for name, _ in source.skipped.examples)
    assert all(name in named for name in ("alone", "text", "empty", "bad.json", "list.json", "none", ".hidden"))


@pytest.mark.parametrize(
    ("kept", "usable"),
    [
        (-10240, 3),  # without the zeros at the end
        (4 * 1024 + 700, 0),  # within the first image
        (200, 0),
        (0, 0),
    ],
)
def test_a_shard_that_is_cut_short_gives_its_whole_members(tmp_path, kept, usable):
    whole = write_shard(tmp_path / "whole.tar", sample_files())
    content = whole.read_bytes()
    end = max(i for i in range(0, len(content), 512) if content[i : i + 512].strip(b"\0")) + 512
    (tmp_path / "cut.tar").write_bytes(content[: end if kept < 0 else kept])
    source = ShardSource([tmp_path / "cut.tar", whole])
    assert len(source) == usable + 3
    assert source.skipped.counts["rest of a shard that is cut short, damaged or compressed"] == 1
    assert str(tmp_path / "cut.tar") in source.skipped.describe()[0]
    for index in range(len(source)):
        assert source.read(index, RNG)[1:] == sample(index % 3)[1:]


def test_a_cut_member_is_named_and_its_sample_not_used(tmp_path):
    content = write_shard(tmp_path / "0.tar", {"0.txt": b"a", "0.png": png(sample(0).rgb)}).read_bytes()
    whole = write_shard(tmp_path / "1.tar", sample_files(1))
    (tmp_path / "0.tar").write_bytes(content[:2000])
    source = ShardSource([tmp_path / "0.tar", whole])
    assert len(source) == 1
    assert (f"{tmp_path / '0.tar'}: 0.png", "member that is cut short") in source.skipped.examples
    assert source.skipped.counts["sample without an image"] == 1


def test_a_damaged_header_ends_a_shard_and_is_told(tmp_path):
    shard = write_shard(tmp_path / "0.tar", sample_files(2))
    content = bytearray(shard.read_bytes())
    second = content.index(b"a/1.png")
    content[second : second + 100] = b"x" * 100
    shard.write_bytes(content)
    source = ShardSource([shard])
    assert len(source) == 1
    assert source.skipped.counts["rest of a shard that is cut short, damaged or compressed"] == 1


def test_shards_that_give_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"do not exist: .*none\.tar"):
        ShardSource([tmp_path / "none.tar"])
    (tmp_path / "text.tar").write_bytes(b"hello" * 200)
    with pytest.raises(InputError, match=r"there are none: 1 passed over: .*text\.tar"):
        ShardSource([tmp_path / "text.tar"])
    with tarfile.open(tmp_path / "zipped.tar", "w:gz") as shard:
        shard.addfile(tarfile.TarInfo("0.txt"))
    with pytest.raises(InputError, match="compressed"):
        ShardSource([tmp_path / "zipped.tar"])


def test_a_shard_that_changed_after_the_start_is_named(tmp_path):
    shard = write_shard(tmp_path / "0.tar", sample_files(1))
    source = ShardSource([shard])
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(InputError, match="changed since the start"):
        source.read(0, RNG)
    shard.unlink()
    with pytest.raises(InputError, match="readable shard"):
        source.read(0, RNG)


def test_skipped_keeps_twenty_examples():
    skipped = Skipped()
    for index in range(30):
        skipped.add(f"{index}.png", "no caption")
    assert len(skipped.examples) == 20
    assert skipped.describe()[0].startswith("30 passed over: no caption (0.png, 1.png")
    assert skipped.describe()[0].endswith("19.png, ...)")
