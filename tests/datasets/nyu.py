"""A small NYU Depth v2 in the true layout: HDF5 behind 512 bytes, as MATLAB 7.3 writes it, and older splits."""

import h5py
import numpy as np
import scipy.io

HW, COUNT = (480, 640), 5
TEST = (4, 2, 5)  # counted from 1


def draw_nyu(root, hw=HW, seed=0):
    """Draw both files; returns images (N, H, W, 3) and raw depths (N, H, W)."""
    root.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (COUNT, 6, 8, 3)).astype(np.uint8)
    images = coarse.repeat(hw[0] // 6, 1).repeat(hw[1] // 8, 2)
    slope = np.linspace(1, 6, hw[1], dtype=np.float32)
    depths = slope * generator.uniform(0.5, 1.5, (COUNT, hw[0], 1)).astype(np.float32)
    depths[:, : hw[0] // 3] = 0  # the sensor gave nothing there
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        file["images"] = images.transpose(0, 3, 2, 1)
        file["rawDepths"] = depths.transpose(0, 2, 1)
        file["depths"] = np.full((COUNT, hw[1], hw[0]), 3, np.float32)
    trained = [number for number in range(1, COUNT + 1) if number not in TEST]
    write_splits(root, testNdxs=TEST, trainNdxs=trained)
    return images, depths


def write_splits(root, **numbers):
    """Write splits.mat, the numbers as columns."""
    columns = {name: np.array(values, np.uint16).reshape(-1, 1) for name, values in numbers.items()}
    scipy.io.savemat(root / "splits.mat", columns)
