"""Fits a classifier to a folder of images with masks, and writes its file."""

from __future__ import annotations

from densezero.atomic import write_bytes
from densezero.classifiers.fit import fit_classifier, read_mask_folder, read_patches
from densezero.classifiers.settings import FitSettings
from densezero.encoders.catalog import load_encoder
from densezero.engine.presets import find_protocol, with_changes
from densezero.jobs.run import RunSummary
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener


def fit(settings: FitSettings, listener: Listener | None = None) -> RunSummary:
    """Fit the classifier, and write it.

    Raises:
        DenseZeroError: if the request cannot be met; nothing is written then.
    """
    listener = listener or Listener()
    recipe = with_changes(find_protocol(settings.protocol), settings.short_side_px).recipe
    folder = read_mask_folder(settings.folder)
    files = [file for pair in folder.pairs for file in (pair.image, pair.label)]
    refuse_unusable_outputs(settings.out, [settings.out], files, is_folder=False)
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    patches = read_patches(encoder, folder, recipe, lambda done: listener.fitting(done, len(folder.pairs)))
    classifier = fit_classifier(patches, folder.classes, encoder, recipe)
    shown = [folder.classes.names[index] for index in classifier.class_of.tolist()]
    listener.result(f"{len(patches.labels)} patches of {len(shown)} classes: {', '.join(shown)}")
    write_bytes(settings.out, classifier.encode())
    return RunSummary(settings.out, len(folder.pairs), 0, 0)
