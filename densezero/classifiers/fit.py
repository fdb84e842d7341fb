"""Fits a classifier to the patches of images with masks.

The official few-shot notebook of TIPSv2 does it so: logistic regression (C = 0.1) on patches that are almost all inside
or almost all outside a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.classifiers.classifier import Classifier
from densezero.datasets.base import Pair
from densezero.datasets.layout import files_by_name, pair_folders
from densezero.encoders.base import DenseEncoder
from densezero.errors import InputError
from densezero.examples.patches import encode_patches
from densezero.examples.recipe import Recipe
from densezero.images import read_rgb
from densezero.images.label_maps import read_label_map
from densezero.images.region_maps import check_size
from densezero.output.labels import ignore_value
from densezero.vocabulary import ClassList, load_class_list

LEAST_SHARE: Final = 0.99
"""A patch is fitted if one class has at least this share of it."""
REGULARISATION: Final = 0.1
"""scikit-learn's C."""
MOST_ITERATIONS: Final = 1000
CLASSES, IMAGES, MASKS = "classes.json", "images", "masks"


class MaskFolder(NamedTuple):
    """A folder of images with masks: its classes, and each image with its mask."""

    classes: ClassList
    pairs: tuple[Pair, ...]


class LabelledPatches(NamedTuple):
    """Patches of one class each: (N, D) float32 features, not normalised, and (N,) int64 class indices."""

    features: Tensor
    labels: Tensor


def read_mask_folder(folder: Path) -> MaskFolder:
    """Find ``images/``, ``masks/`` with a label PNG of the same name for each image, and ``classes.json``.

    Raises:
        InputError: if one of them is missing, or names do not match.
        VocabularyError: if the class list is malformed.
    """
    missing = [name for name in (IMAGES, MASKS, CLASSES) if not (folder / name).exists()]
    if missing:
        raise InputError(
            f"Expected {folder} to hold images/, masks/ with a label PNG of the same name for each image (value = "
            f"class index), and classes.json, as `densezero segment` writes it; {', '.join(missing)} is missing."
        )
    masks = folder / MASKS
    pairs = pair_folders(files_by_name(folder / IMAGES), files_by_name(masks, (".png",)), masks)
    return MaskFolder(load_class_list(folder / CLASSES), pairs)


def read_patches(
    encoder: DenseEncoder, folder: MaskFolder, recipe: Recipe, done: Callable[[int], None]
) -> LabelledPatches:
    """Encode the images, and keep the patches that are almost all one class.

    Args:
        encoder: gives the features.
        folder: images and masks.
        recipe: how an image is encoded.
        done: called with the number of images done, after each.

    Raises:
        InputError: if an image or a mask cannot be used, or the patches have fewer than two classes.
    """
    features, labels = [], []
    for number, pair in enumerate(folder.pairs, 1):
        rgb = read_rgb(pair.image)  # (H, W, 3)
        mask = _read_mask(pair.label, (rgb.shape[0], rgb.shape[1]), len(folder.classes))  # (H, W)
        patches = encode_patches(encoder, rgb, recipe)
        for index in sorted(set(np.unique(mask).tolist()) - {ignore_value(len(folder.classes))}):
            of_class = patches.features[patches.shares(mask == index) >= LEAST_SHARE]  # (n, D)
            features.append(of_class)
            labels.append(torch.full((len(of_class),), index))
        done(number)
    present = sorted({int(label) for of_class in labels for label in of_class[:1]})
    if len(present) < 2:
        names = ", ".join(folder.classes.names[index] for index in present)
        raise InputError(
            f"Expected masks with patches of at least two classes; got those of {names or 'none'}. Mark the rest of "
            "the images as a class too, or make the masks larger."
        )
    return LabelledPatches(torch.cat(features), torch.cat(labels))


def fit_classifier(patches: LabelledPatches, classes: ClassList, encoder: DenseEncoder, recipe: Recipe) -> Classifier:
    """Fit scikit-learn's logistic regression.

    It sees unit features times their mean length, so that C means the same as for features that are not normalised.
    """
    from sklearn.linear_model import LogisticRegression

    lengths = patches.features.norm(dim=1)
    scale = float(lengths.mean())
    inputs = (torch.nn.functional.normalize(patches.features, dim=1) * scale).double().numpy()
    model = LogisticRegression(C=REGULARISATION, max_iter=MOST_ITERATIONS).fit(inputs, patches.labels.numpy())
    weights, offsets = model.coef_ * scale, model.intercept_
    if len(model.classes_) == 2:  # one row there, the logit of the second class
        weights, offsets = np.concatenate([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    return Classifier(
        torch.from_numpy(np.ascontiguousarray(weights, np.float32)),
        torch.from_numpy(np.ascontiguousarray(offsets, np.float32)),
        torch.from_numpy(model.classes_.astype(np.int64)),
        classes,
        recipe,
        encoder.name,
        encoder.weights_hash,
    )


def _read_mask(path: Path, hw: tuple[int, int], classes: int) -> NDArray[np.unsignedinteger]:
    """Read a mask (H, W); raise InputError if its size or a value does not fit."""
    mask = read_label_map(path)
    try:
        check_size("the mask", (mask.shape[0], mask.shape[1]), hw)
        ignored = ignore_value(classes)
        wrong = sorted(value for value in np.unique(mask).tolist() if value >= classes and value != ignored)
        if wrong:
            raise InputError(
                f"Expected class indices 0 to {classes - 1}, and {ignored} for ignored pixels; got {wrong[0]}. "
                "Complete classes.json, or set these pixels to the ignored value."
            )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return mask
