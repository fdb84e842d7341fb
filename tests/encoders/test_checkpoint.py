"""Tensor files as data: whatever a file holds, it loads or it is refused in one sentence."""

import io
import json
import pickle
import random
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from densezero.encoders.tips import TipsOptions, load_tips_folder
from densezero.encoders.tips.checkpoint import open_tensors
from densezero.errors import ModelError
from tests.encoders.towers import small_pair, write_folder, write_pair

ON_CPU = TipsOptions(device="cpu", dtype="float32")
FILES = {"pair": ("small_vision.npz", "small_text.npz"), "hub": ("model.safetensors",)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory, tokenizer_file):
    """Both layouts, each in its folder."""
    folder = tmp_path_factory.mktemp("sound")
    for name, write in (("pair", write_pair), ("hub", write_folder)):
        (folder / name).mkdir()
        write(folder / name, small_pair(), tokenizer_file)
    return folder


def use_fully(folder):
    """Load a model and use both towers; gives whether that went well, and fails for any error but ours."""
    try:
        encoder = load_tips_folder(folder, ON_CPU)
        encoder.encode_dense(torch.ones(1, 3, 14, 14))
        encoder.encode_text(["sky"])
    except ModelError as error:
        assert str(folder) in str(error)
        return False
    return True


def damage(content, rng, where):
    """Cut a file's content, or change a few bytes in the part of it that says what the rest is."""
    if rng.random() < 0.3:
        return content[: rng.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        start, stop = rng.choice(where)
        changed[rng.randrange(start, stop)] = rng.choice((rng.randrange(256), *b'0123456789,:[]{}"-'))
    return bytes(changed)


def headers_of(file):
    """Stretches of a file's bytes that are no plain numbers."""
    content = file.read_bytes()
    if file.suffix == ".safetensors":
        return [(0, 8), (8, 8 + int.from_bytes(content[:8], "little")), (0, len(content))]
    with zipfile.ZipFile(file) as archive:
        members = [(info.header_offset, info.header_offset + 180) for info in archive.infolist()]
        return [*members, (archive.start_dir, len(content)), (len(content) - 22, len(content)), (0, len(content))]


@pytest.mark.parametrize("layout", FILES)
def test_damaged_bytes_load_or_are_refused_and_nothing_else(sound, layout):
    folder, rng = sound / layout, random.Random(7)
    assert use_fully(folder)
    went_well = []
    for name in FILES[layout]:
        file = folder / name
        content, where = file.read_bytes(), headers_of(file)
        for _ in range(120):
            file.write_bytes(damage(content, rng, where))
            went_well.append(use_fully(folder))
        file.write_bytes(content)
    assert use_fully(folder)
    assert went_well.count(False) > len(went_well) / 2


STRANGE = [0, -1, 2**31, 2**64, 10**30, 1.5, "x", None, True, [], {}, [1], [0], [0, 10**18], [5, 4], "I64", "F8_E4M3"]


def test_a_safetensors_header_with_strange_entries_loads_or_is_refused(sound):
    file, rng = sound / "hub" / "model.safetensors", random.Random(11)
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    for _ in range(150):
        header = json.loads(content[8 : 8 + length])
        name = rng.choice(list(header))
        entry = header[name]
        change = rng.randrange(4)
        if change == 0:
            header[name] = rng.choice(STRANGE)
        elif change == 1:
            header[rng.choice(("", "__metadata__", name + "x", name.replace("s.0.", "s.99999999999.")))] = header.pop(
                name
            )
        elif change == 2 and entry["shape"]:
            entry["shape"][rng.randrange(len(entry["shape"]))] = rng.choice(STRANGE)
        else:
            entry[rng.choice(list(entry))] = rng.choice(STRANGE)
        text = json.dumps(header).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        use_fully(sound / "hub")
    file.write_bytes(content)


@pytest.mark.parametrize(("suffix", "share"), [(".npz", 0.0), (".npz", 0.5), (".npz", 0.99), (".safetensors", 0.0)])
def test_a_cut_file_is_refused_with_the_way_out(sound, tmp_path, suffix, share):
    source = sound / ("pair/small_vision.npz" if suffix == ".npz" else "hub/model.safetensors")
    content = source.read_bytes()
    file = tmp_path / f"cut{suffix}"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError) as caught:
        open_tensors(file)
    assert str(file) in str(caught.value)
    assert "Delete it and download it again" in str(caught.value)


@pytest.mark.parametrize("head", [b"\xff" * 8, (20).to_bytes(8, "little"), (2**40).to_bytes(8, "little")])
def test_a_safetensors_file_with_a_header_of_garbage_is_refused(tmp_path, head):
    file = tmp_path / "model.safetensors"
    file.write_bytes(head + b"garbage" * 10)
    with pytest.raises(ModelError, match="cannot be read as a tensor file"):
        open_tensors(file)


def test_a_safetensors_file_cut_by_one_byte_is_refused(sound, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes((sound / "hub" / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(ModelError, match="cannot be read as a tensor file"):
        open_tensors(file)


class Trap:
    """Runs when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_python_objects_in_an_npz_are_never_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Trap()))
    assert Trap.sprung  # the trap works
    Trap.sprung = False
    file = tmp_path / "objects.npz"
    np.savez(file, trap=np.array([Trap()], dtype=object))
    with pytest.raises(ModelError, match="Python objects, which are never loaded"):
        open_tensors(file)
    assert not Trap.sprung


def test_a_bare_pickle_in_an_npz_is_never_unpickled(tmp_path):
    Trap.sprung = False
    for name, content in (("bare.npz", pickle.dumps(Trap())), ("member.npz", None)):
        file = tmp_path / name
        if content is None:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("trap.npy", pickle.dumps(Trap()))
        else:
            file.write_bytes(content)
        with pytest.raises(ModelError):
            open_tensors(file).load()
    assert not Trap.sprung


def test_a_header_that_announces_more_than_the_member_holds_is_refused_before_memory_is_taken(tmp_path):
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(buffer, header)
    file = tmp_path / "large.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("large.npy", buffer.getvalue() + bytes(16))
    with pytest.raises(ModelError, match="announces 4000000000"):
        open_tensors(file)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_prefix_chooses_tensors_and_is_taken_off(tmp_path, suffix):
    tensors = {"a.x": torch.arange(6.0).reshape(2, 3), "a.y": torch.ones(()), "b.x": torch.zeros(0, 4)}
    file = tmp_path / f"named{suffix}"
    if suffix == ".npz":
        np.savez(file, **{name: value.numpy() for name, value in tensors.items()})
    else:
        save_file(tensors, file)
    opened = open_tensors(file)
    assert opened.shapes == {"a.x": (2, 3), "a.y": (), "b.x": (0, 4)}
    assert opened.shapes_under("a.") == {"x": (2, 3), "y": ()}
    loaded = opened.load("a.")
    assert list(loaded) == ["x", "y"]
    assert torch.equal(loaded["x"], tensors["a.x"])
    assert list(opened.load("a.", like={"y": torch.empty(0)})) == ["y"]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_tensors_get_the_numeric_type_that_is_asked_for(tmp_path, suffix):
    file = tmp_path / f"typed{suffix}"
    if suffix == ".npz":
        np.savez(file, x=np.array([[1.0, 2.5], [1 / 3, -4.0]], np.float32).T)  # stored column by column
    else:
        save_file({"x": torch.tensor([[1.0, 1 / 3], [2.5, -4.0]])}, file)
    loaded = open_tensors(file).load(like={"x": torch.empty(0, dtype=torch.bfloat16)})["x"]
    assert loaded.dtype == torch.bfloat16 and loaded.is_contiguous()
    assert loaded.tolist() == [[1.0, 0.333984375], [2.5, -4.0]]  # 1/3 to eight binary digits
    assert open_tensors(file).load()["x"].dtype == torch.float32


def test_a_large_npz_is_never_in_memory_as_a_whole_beside_its_converted_tensors(tmp_path):
    np.savez(tmp_path / "large.npz", **{f"x{index}": np.zeros(2**18, np.float32) for index in range(16)})  # 1 MiB each
    opened = open_tensors(tmp_path / "large.npz")
    tracemalloc.start()  # sees numpy's memory, not torch's
    try:
        loaded = opened.load(like=dict.fromkeys(opened.shapes, torch.empty(0, dtype=torch.bfloat16)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(loaded) == 16
    assert 2**20 < peak < 4 * 2**20


def test_other_kinds_of_files_and_missing_ones_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"ending in \.npz, \.zip or \.safetensors; got .*model\.pt"):
        open_tensors(tmp_path / "model.pt")
    with pytest.raises(ModelError, match="there is none"):
        open_tensors(Path("gone.npz"))
