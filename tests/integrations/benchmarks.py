"""The eight benchmarks as mmsegmentation reads them, over the samples or over converted copies of their labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from densezero.datasets import load_dataset
from tests.conftest import ROOT, SHARED

CONFIGS = ROOT / "benchmarks" / "mmseg"
SAMPLES = SHARED / "samples"
SMALL = {"model": "nano", "protocol": "tips-simple", "short_side_px": 56, "templates": "plain", "device": "cpu"}

# Name: the folder of the samples, their split, and what mmsegmentation wants label files to be called, if not as is.
BENCHMARKS = {
    "ade20k": ("ADEChallengeData2016", "val", None),
    "voc20": ("VOCdevkit/VOC2012", "val", None),
    "voc21": ("VOCdevkit/VOC2012", "val", None),
    "pascal-context59": ("VOCdevkit/VOC2010", "val", None),
    "pascal-context60": ("VOCdevkit/VOC2010", "val", None),
    "cityscapes": ("cityscapes", "train", "_gtFine_labelTrainIds.png"),
    "coco-stuff": ("coco", "val", "_labelTrainIds.png"),
    "coco-object": ("coco", "val", "_instanceTrainIds.png"),
}


@dataclass
class Bench:
    """A benchmark's config for a few images, and our own reading of the same."""

    name: str
    config: object
    dataset: object

    @property
    def classes(self):
        return len(self.dataset.classes)

    def pair_of(self, image_path):
        return next(pair for pair in self.dataset.pairs if pair.image.name == Path(image_path).name)


def open_bench(name, folder, images=2):
    """Read the committed config and point it at the samples; ``folder`` takes logs and converted labels."""
    from mmengine.config import Config

    sample_folder, split, ending = BENCHMARKS[name]
    dataset = load_dataset(name, SAMPLES / sample_folder, split)
    config = Config.fromfile(CONFIGS / f"{name}.py")
    config.model.update(SMALL)
    config.work_dir = str(folder / "logs")
    config.experiment_name = f"{name}_{folder.name}"  # mmengine keeps loggers by this name for the whole process
    test_set = config.test_dataloader.dataset
    test_set.indices = images
    test_set.data_root = str(SAMPLES / sample_folder)
    if ending is not None:
        test_set.data_root = str(folder)
        convert(dataset, dataset.pairs[:images], folder, test_set.data_prefix, ending)
    return Bench(name, config, dataset)


def convert(dataset, pairs, folder, prefix, ending):
    """Write the targets as the converted label files, and the images beside them under the same names."""
    for pair in pairs:
        image = folder / prefix["img_path"] / f"{pair.name}{'_leftImg8bit' * ('gtFine' in ending)}{pair.image.suffix}"
        label = folder / prefix["seg_map_path"] / f"{pair.name}{ending}"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        image.symlink_to(pair.image.resolve())
        Image.fromarray(dataset.read_target(pair)).save(label)


def segmenter_of(integration, config):
    model = config.model
    return integration.build_segmenter(
        model.classes,
        model.model,
        model.protocol,
        model.templates,
        model.short_side_px,
        model.device,
        model.dtype,
        model.refine,
    )


def areas_of(confusion):
    """Intersection, union, predicted and true pixels of each class, by plain sums."""
    hits = np.diag(confusion)
    return hits, confusion.sum(0) + confusion.sum(1) - hits, confusion.sum(0), confusion.sum(1)
