"""densezero inside mmsegmentation: its ``Runner`` can test a densezero model from a config.

On import, mmsegmentation 1.2 requires the compiled part of mmcv, but testing does not use it. ``import_mmseg`` puts a
stand-in module in its place, imports mmsegmentation, and removes the stand-in again. ``register`` adds the segmentor,
two missing data sets and a check to the registries of mmsegmentation.

Its ``IoUMetric`` and ``densezero.metrics`` count the same pixels, so the scores agree in every digit that it shows.
Two differences remain:

- *Resize.* If the pipeline takes the image as it is on disk (``LoadImageFromFile``, ``LoadAnnotations``,
  ``PackSegInputs``), the labels equal those of densezero in every pixel, because the protocol resizes the original
  image. With the ``Resize`` of mmsegmentation in the pipeline, OpenCV resizes (bilinear, no antialias) instead of
  Pillow (bicubic, antialias). It rounds the long side to the nearest pixel, while ``tips-*`` rounds down.
  All later steps are the same.
- *Large sums.* ``IoUMetric`` sums pixels in float32, which is exact up to 2**24 pixels of a class. densezero uses
  integers. On whole benchmarks the last digit of a frequent class may differ.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from densezero.encoders.catalog import DEFAULT_MODEL, load_encoder
from densezero.engine.presets import DEFAULT_PROTOCOL, protocol_for, with_changes
from densezero.engine.segmenter import Segmenter
from densezero.errors import DenseZeroError, InputError, VocabularyError
from densezero.vocabulary import class_list_from, load_class_list, load_packaged, load_templates

_COMPILED = "mmcv._ext"
_NEEDED = ("mmseg", "mmengine.runner", "mmseg.datasets", "mmseg.engine", "mmseg.evaluation", "mmseg.models",
           "mmseg.structures", "mmseg.visualization")  # fmt: skip


def import_mmseg() -> ModuleType:
    """Import mmsegmentation with its models, data sets and metrics, with or without the compiled part of mmcv.

    Afterwards the stand-in is no longer in ``sys.modules``, so mmengine and mmcv know that there are no compiled
    operations. If a part of mmsegmentation calls one, ``DenseZeroError`` is raised.

    Returns:
        The package ``mmseg``.

    Raises:
        DenseZeroError: it is not installed, or the installed versions do not fit each other.
    """
    try:
        with warnings.catch_warnings():
            # On every import, mmcv warns about a name that has moved.
            warnings.filterwarnings("ignore", message=r".*MultiScaleDeformableAttention", category=ImportWarning)
            with _stand_in():
                packages = [import_module(name) for name in _NEEDED]
                return packages[0]
    # mmseg asserts the versions of the others. An old mmengine registers an optimizer that newer torch has itself.
    except (ImportError, AssertionError, KeyError) as error:
        raise DenseZeroError(
            f"Expected mmsegmentation 1.2, mmengine and mmcv-lite 2.1; importing them failed: {error}. "
            "Install them with: pip install 'densezero[mmseg]'"
        ) from error


def register() -> None:
    """Add ``DenseZeroSegmentor``, the two data sets and the check to mmsegmentation, under their class names.

    Raises:
        DenseZeroError: mmsegmentation cannot be imported.
    """
    parts = _parts()
    from mmseg.registry import DATASETS, HOOKS, MODELS

    MODELS.register_module(module=parts["DenseZeroSegmentor"], force=True)
    HOOKS.register_module(module=parts["ClassCountHook"], force=True)
    for name in ("VOC20Dataset", "COCOObjectDataset"):
        DATASETS.register_module(module=parts[name], force=True)


def build_segmenter(
    classes: str | Sequence[str | Sequence[str]],
    model: str,
    protocol: str,
    templates: str | None,
    short_side_px: int | None,
    device: str,
    dtype: str,
    refine: str | None = None,
) -> Segmenter:
    """Make a segmenter from the values of a config.

    Args:
        classes: the name of a packaged class list, a file, or a list of names. A list inside the list is one class with
            synonyms.
        model: the name of a model, or a path.
        protocol: the name of a preset. With a packaged class list, an ``ovss`` preset uses the constants of its paper.
        templates: prompt templates, a name or a file; None for those of the protocol.
        short_side_px: short side of the model input; None for that of the protocol.
        device: the device, such as ``cpu`` or ``cuda``.
        dtype: numeric type of the vision tower.
        refine: ``"none"``, ``"grid"`` or ``"pamr"``; None for that of the protocol.

    Raises:
        DenseZeroError: a value cannot be used, or the protocol adds a background class.
    """
    class_list = load_class_list(classes) if isinstance(classes, str) else class_list_from(classes)
    settings = with_changes(protocol_for(class_list, protocol), short_side_px, refine=refine)
    words = load_templates(templates or settings.templates)
    segmenter = Segmenter(load_encoder(model, device, dtype), class_list, settings, words)
    if len(segmenter.classes) != len(class_list):
        raise VocabularyError(
            f"Expected one label for each of the {len(class_list)} classes of {class_list.name}; the protocol "
            f"{settings.name} adds a background. Use a class list with a background, and the data set that has one."
        )
    return segmenter


def segment_packed(segmenter: Segmenter, bgr: Tensor, metainfo: dict[str, Any]) -> Tensor:
    """Segment an image that a pipeline of mmsegmentation packed.

    Args:
        segmenter: the segmenter.
        bgr: (3, h, w) uint8, blue first. The image, or the output of the ``Resize`` of mmsegmentation.
        metainfo: the metainfo of its ``SegDataSample``; ``ori_shape`` is the (H, W) of the image.

    Returns:
        (1, H, W) int64 class indices on the device of ``bgr``.

    Raises:
        InputError: the pipeline changed the image in another way.
    """
    if bgr.dtype != torch.uint8 or bgr.ndim != 3 or bgr.shape[0] != 3:
        raise InputError(
            f"Expected images as PackSegInputs packs them, uint8 (3, h, w); got {bgr.dtype} {tuple(bgr.shape)}. "
            "Remove data_preprocessor, Normalize and to_float32 from the config: the encoder scales the pixels itself."
        )
    changed = [key for key in ("flip", "pad_shape", "img_padding_size") if metainfo.get(key)]
    if changed:
        raise InputError(f"Expected images that are not flipped or padded; got {', '.join(changed)}. Remove that step.")
    rgb = np.ascontiguousarray(bgr.flip(0).permute(1, 2, 0).cpu().numpy())  # (h, w, 3)
    h, w = rgb.shape[:2]
    image_hw = tuple(metainfo.get("ori_shape", (h, w)))[:2]  # (H, W)
    labels = segmenter.segment(rgb).labels if image_hw == (h, w) else _label_resized(segmenter, rgb, image_hw)
    return torch.from_numpy(labels.astype(np.int64))[None].to(bgr.device)


def _label_resized(segmenter: Segmenter, rgb: Any, image_hw: tuple[int, int]) -> Any:
    """Label an image that is already resized: resize the scores to (H, W), then take the argmax."""
    (scored,) = segmenter.score([segmenter.prepare(rgb)._replace(image_hw=image_hw)])
    return segmenter.label(scored)


def __getattr__(name: str) -> Any:
    """Create the classes that need mmsegmentation on first use. The workers of a loader use this when they unpickle."""
    if name not in ("DenseZeroSegmentor", "ClassCountHook", "VOC20Dataset", "COCOObjectDataset"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _parts()[name]


@cache
def _parts() -> dict[str, type]:
    """Create the classes once, by name. They derive from classes of mmsegmentation."""
    import_mmseg()
    parts = (_segmentor_class(), _hook_class(), *_dataset_classes())
    for part in parts:
        part.__qualname__ = part.__name__  # so that pickle finds them through __getattr__
    return {part.__name__: part for part in parts}


def _segmentor_class() -> type:
    from mmengine.structures import PixelData
    from mmseg.models import BaseSegmentor
    from mmseg.structures import SegDataSample

    class DenseZeroSegmentor(BaseSegmentor):  # type: ignore[misc]  # the base has no types
        """Tests a zero-shot segmenter in the ``Runner`` of mmsegmentation. Arguments: see ``build_segmenter``.

        It uses one process. For several processes, use ``densezero evaluate`` under torchrun.
        """

        def __init__(
            self,
            classes: str | Sequence[str | Sequence[str]],
            model: str = DEFAULT_MODEL,
            protocol: str = DEFAULT_PROTOCOL,
            templates: str | None = None,
            short_side_px: int | None = None,
            device: str = "auto",
            dtype: str = "float32",
            refine: str | None = None,
        ) -> None:
            super().__init__()
            self.segmenter = build_segmenter(classes, model, protocol, templates, short_side_px, device, dtype, refine)

        def predict(self, inputs: Sequence[Tensor], data_samples: Sequence[Any] | None = None) -> list[Any]:
            """Fill ``pred_sem_seg`` of each sample with (1, H, W) labels at the size of the image."""
            samples = [SegDataSample() for _ in inputs] if data_samples is None else list(data_samples)
            for image, sample in zip(inputs, samples, strict=True):
                sample.pred_sem_seg = PixelData(data=segment_packed(self.segmenter, image, sample.metainfo))
            return samples

        def loss(self, inputs: Any, data_samples: Any) -> NoReturn:
            raise _only_tests()

        def extract_feat(self, inputs: Any) -> NoReturn:
            raise _only_tests()

        def encode_decode(self, inputs: Any, batch_data_samples: Any) -> NoReturn:
            raise _only_tests()

        def _forward(self, inputs: Any, data_samples: Any = None) -> NoReturn:
            raise _only_tests()

    return DenseZeroSegmentor


def _only_tests() -> DenseZeroError:
    return DenseZeroError(
        'Expected mode "predict"; DenseZeroSegmentor has no training and no dense forward pass. Call Runner.test. '
        "For features, use densezero.load_encoder."
    )


def _hook_class() -> type:
    from mmengine.hooks import Hook

    class ClassCountHook(Hook):  # type: ignore[misc]  # the base has no types
        """Stops a test if segmentor and data set differ in their number of classes. ``IoUMetric`` does not check it."""

        def before_test(self, runner: Any) -> None:
            segmented = runner.model.segmenter.classes
            labelled = runner.test_dataloader.dataset.metainfo["classes"]
            if len(segmented) != len(labelled):
                raise VocabularyError(
                    f"Expected as many classes as the data set has, {len(labelled)}; the segmentor's list "
                    f"{segmented.name} has {len(segmented)}. Give model.classes a list in the order of the labels."
                )

    return ClassCountHook


def _dataset_classes() -> tuple[type, ...]:
    from mmseg.datasets import BaseSegDataset

    class _Packaged(BaseSegDataset):  # type: ignore[misc]  # the base has no types
        """A data set whose classes and colours are those of a packaged class list."""

        seg_map_suffix, reduce_zero_label = ".png", False

        def __init__(
            self,
            data_root: str,
            data_prefix: dict[str, str],
            ann_file: str = "",
            pipeline: Sequence[Any] = (),
            indices: int | None = None,
            test_mode: bool = False,
            lazy_init: bool = False,
        ) -> None:
            super().__init__(
                ann_file=ann_file, seg_map_suffix=self.seg_map_suffix, data_root=data_root, data_prefix=data_prefix,
                indices=indices, pipeline=list(pipeline), test_mode=test_mode, lazy_init=lazy_init,
                reduce_zero_label=self.reduce_zero_label,
            )  # fmt: skip

    class VOC20Dataset(_Packaged):
        """Pascal VOC 2012 without background: the values 0 and 255 of the files are ignored, k is class k - 1."""

        METAINFO = _metainfo("voc20")
        reduce_zero_label = True

    class COCOObjectDataset(_Packaged):
        """Background and 80 objects of COCO, 0 to 80, in the ``*_instanceTrainIds.png`` of the training-free papers."""

        METAINFO = _metainfo("coco-object")
        seg_map_suffix = "_instanceTrainIds.png"

    return VOC20Dataset, COCOObjectDataset


def _metainfo(name: str) -> dict[str, Any]:
    classes = load_packaged(name)
    return {"classes": classes.names, "palette": classes.colours.tolist()}


class _StandIn(ModuleType):
    """Stands in for the compiled module of mmcv. It has every operation by name; each raises an error when called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_args: object, **_kwargs: object) -> NoReturn:
            raise DenseZeroError(
                f"The operation {name} needs the compiled part of mmcv, which mmcv-lite does not have. Use a model "
                "without this operation, or install the full mmcv of the same version."
            )

        return refuse


@contextmanager
def _stand_in() -> Iterator[None]:
    """Make ``mmcv.ops`` importable. If mmcv has no compiled part, restore its modules afterwards."""
    import mmcv

    if _COMPILED in sys.modules or find_spec(_COMPILED) is not None:
        yield
        return
    sys.modules[_COMPILED] = _StandIn(_COMPILED)
    try:
        yield
    finally:
        # mmcv.ops is removed too: code that imports it to test for operations must get an ImportError.
        for name in [name for name in sys.modules if name == _COMPILED or f"{name}.".startswith("mmcv.ops.")]:
            del sys.modules[name]
        if hasattr(mmcv, "ops"):
            del mmcv.ops
