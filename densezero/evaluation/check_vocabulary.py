"""Checks a class list with a model, and with images if there are any."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.base import DenseEncoder
from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine.presets import DEFAULT_PROTOCOL, PROTOCOLS
from densezero.errors import VocabularyError
from densezero.evaluation.check_settings import CheckSettings
from densezero.evaluation.word_wins import WinCounts, choose_evenly, count_wins
from densezero.images import find_images
from densezero.progress import Listener
from densezero.vocabulary import (
    CATALOG,
    ClassList,
    Templates,
    describe_classes,
    load_packaged,
    load_templates,
)
from densezero.vocabulary.check import Check, check_classes
from densezero.vocabulary.check_table import explain_scale, write_findings, write_synonyms, write_wins
from densezero.vocabulary.clashes import take_clashes_out
from densezero.vocabulary.closeness import REFERENCE, Closeness
from densezero.vocabulary.findings import Finding
from densezero.vocabulary.parse import draft_inline, read_draft
from densezero.vocabulary.text_bank import recall_words
from densezero.vocabulary.text_limits import CutWord, find_cut_words
from densezero.vocabulary.wins import Wins, check_wins


@dataclass(frozen=True)
class VocabularyCheck:
    """A checked class list.

    Args:
        title: what was given: the list's name, its file, or ``--classes``.
        classes: the list.
        model: that read it.
        note: what its user should know; empty for most models.
        templates: that its words were put into.
        scale: what cosines were compared with.
        check: what the words and their vectors say.
        wins: what the images say; None if there were none that could be read.
        images: number of images that were read.
        images_found: number of images in the folders.
        failed: number of images that could not be read.
    """

    title: str
    classes: ClassList
    model: str
    note: str
    templates: Templates
    scale: Closeness
    check: Check
    wins: Wins | None = None
    images: int = 0
    images_found: int = 0
    failed: int = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings."""
        return (*self.check.findings, *(self.wins.findings if self.wins else ()))

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            "list": self.title,
            "classes": len(self.classes),
            "words": sum(map(len, self.classes.words)),
            "model": self.model,
            "note": self.note,
            "templates": self.templates.name,
            "near_cosine": self.scale.near,
            "far_cosine": self.scale.far,
            "findings": [asdict(finding) for finding in self.findings],
            "synonyms": [asdict(row) for row in self.check.synonyms],
            "images": self.images,
            "images_found": self.images_found,
            "images_failed": self.failed,
            "wins": [asdict(row) for row in self.wins.words] if self.wins else None,
        }

    def to_lines(self) -> Iterator[str]:
        """Write the tables, line by line."""
        classes = self.classes
        words = sum(map(len, classes.words))
        counts = f"{len(classes)} class{'' if len(classes) == 1 else 'es'}, {words} word{'' if words == 1 else 's'}"
        yield f"{self.title}: {counts}; checked with {self.model} and the templates {self.templates.name}."
        if self.note:
            yield f"Careful: {self.note}"
        if classes.is_packaged:
            yield "Numbers of papers need this list as it is. To change it, make a file of your own:"
            yield f"densezero vocabularies show {classes.name} --json > my-words.json"
        yield ""
        yield from write_findings(self.findings)
        yield ""
        index = classes.background_index
        yield from write_synonyms(self.check.synonyms, None if index is None else classes.names[index])
        if self.wins:
            yield ""
            yield from write_wins(self.wins.words, self.images, self.images_found)
        yield ""
        yield from explain_scale(self.scale, self.model, classes.is_packaged and classes.name == REFERENCE)


def check_vocabulary(settings: CheckSettings, listener: Listener | None = None) -> VocabularyCheck:
    """Check a class list: its words, their vectors, and which of them win on images.

    Raises:
        DenseZeroError: if the list, the templates, the model or the images cannot be used.
    """
    listener = listener or Listener()
    given = _read_list(settings)
    classes = given.classes
    templates = load_templates(settings.templates or PROTOCOLS[DEFAULT_PROTOCOL].templates)
    images = find_images(settings.images) if settings.images else ()
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    listener.understood(describe_classes(classes))
    vectors = embed_list(encoder, classes, templates, listener)  # (P, D)
    scale = Closeness.of(embed_list(encoder, load_packaged(REFERENCE), templates, listener))
    check = check_classes(classes, vectors, scale, templates, _find_cut(encoder, classes, templates))
    check = replace(check, findings=(*given.refused, *map(given.locate, check.findings)))
    encoder.release_text()
    counts = WinCounts(np.zeros((0, len(vectors)), np.int64), 0)
    if images:
        counts = count_wins(encoder, vectors, choose_evenly(images, settings.limit), listener)
    wins = check_wins(classes, counts.pixels) if len(counts.pixels) else None
    if wins is not None:
        wins = wins._replace(findings=tuple(map(given.locate, wins.findings)))
    return VocabularyCheck(
        settings.vocabulary or "--classes", classes, encoder.name, encoder.note or "", templates, scale, check, wins,
        len(counts.pixels), len(images), counts.failed,
    )  # fmt: skip


@plain_torch()
def embed_list(
    encoder: DenseEncoder, classes: ClassList, templates: Templates, listener: Listener
) -> NDArray[np.float32]:
    """Give the unit vectors (P, D) of the words of a list, from disk if they are kept there."""
    words = [word for of_class in classes.words for word in of_class]
    return to_numpy(recall_words(encoder, words, templates, listener.embedding))


@plain_torch()
def _find_cut(encoder: DenseEncoder, classes: ClassList, templates: Templates) -> list[CutWord]:
    words = dict.fromkeys(word for of_class in classes.words for word in of_class)
    return list(find_cut_words(encoder, list(words), templates))


@dataclass(frozen=True)
class _Given:
    """A list that can be checked, what had to be left out of it, and the line of each class in its file."""

    classes: ClassList
    refused: tuple[Finding, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    def locate(self, finding: Finding) -> Finding:
        """Add the lines of its classes to a finding."""
        return replace(finding, lines=tuple(self.lines[name] for name in finding.classes)) if self.lines else finding


def _read_list(settings: CheckSettings) -> _Given:
    if settings.vocabulary in CATALOG:
        return _Given(load_packaged(settings.vocabulary))
    if settings.classes is not None:
        draft = draft_inline(settings.classes)
    else:
        assert settings.vocabulary is not None, "checked by CheckSettings"
        if "," in settings.vocabulary and not os.path.lexists(settings.vocabulary):
            raise VocabularyError(
                f"Expected LIST as the name of a packaged list or a file; got {settings.vocabulary!r}. Give class "
                f'names by --classes "{settings.vocabulary}".'
            )
        draft = read_draft(Path(settings.vocabulary))
    rest, refused = take_clashes_out(draft)
    classes = rest.to_list()
    return _Given(classes, tuple(refused), dict(zip(classes.names, rest.lines, strict=False)))
