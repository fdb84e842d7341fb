"""Prompt templates: sentences with one ``{}`` that a class's word replaces."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from densezero.errors import VocabularyError, did_you_mean
from densezero.vocabulary.textfile import read_text, split_lines

PLACE = "{}"


@dataclass(frozen=True)
class Templates:
    """A named set of prompt templates, in order.

    Args:
        name: name of the set.
        texts: at least one template, all different, each with exactly one ``{}``.

    Raises:
        VocabularyError: there is no template, two are equal, or one has no ``{}`` or several.

    Example:
        >>> Templates("two", ("{}", "a photo of a {}.")).fill("cat")
        ['cat', 'a photo of a cat.']
    """

    name: str
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.texts:
            raise VocabularyError(
                f'Expected templates in {self.name!r}, got none. Write one on each line, such as "a photo of a {{}}."'
            )
        for position, text in enumerate(self.texts, start=1):
            _check_template(text)
            first = self.texts.index(text) + 1
            if first != position:
                raise VocabularyError(
                    f"Template {text!r} appears twice, as number {first} and {position}. Remove one of them."
                )

    def __len__(self) -> int:
        return len(self.texts)

    def fill(self, word: str) -> list[str]:
        """Insert a word into every template, in order."""
        return [text.replace(PLACE, word) for text in self.texts]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the texts in their order, hexadecimal. The name does not change it."""
        return hashlib.sha256(json.dumps(self.texts).encode("ascii")).hexdigest()


def load_templates(source: str | Path) -> Templates:
    """Load packaged templates by name, or a user's file with one template on each line.

    Args:
        source: a key of ``TEMPLATES``, or the path of a UTF-8 text. Blank lines and ``#`` lines are skipped.

    Raises:
        VocabularyError: there is no such set or file, or its content is not valid. The message names file and line.

    Example:
        >>> load_templates("plain").fill("cat")
        ['cat']
    """
    if isinstance(source, str) and source in TEMPLATES:
        return TEMPLATES[source]
    path = Path(source)
    try:
        lines = split_lines(read_text(path), trailing_comments=False)
    except FileNotFoundError:
        message = f"Expected the name of packaged templates or a file of templates, got {str(source)!r}: no such file."
        raise VocabularyError(f"{message} {did_you_mean(str(source), list(TEMPLATES))}") from None
    if not lines:
        raise VocabularyError(
            f'{path}: expected templates, got an empty file. Write one on each line, such as "a photo of a {{}}."'
        )
    first_line: dict[str, int] = {}
    for number, text in lines:
        try:
            _check_template(text)
        except VocabularyError as error:
            raise VocabularyError(f"{path}, line {number}: {error}") from None
        if first_line.setdefault(text, number) != number:
            where = f"line {first_line[text]} and line {number}"
            raise VocabularyError(f"{path}: template {text!r} appears twice: {where}. Remove one of them.")
    return Templates(path.stem, tuple(line.text for line in lines))


def _check_template(text: object) -> None:
    if not isinstance(text, str):
        raise VocabularyError(f"Expected a template as text, got {text!r}.")
    if text.count(PLACE) != 1:
        raise VocabularyError(
            f"Expected a template with one {PLACE} for the word, got {text!r} with {text.count(PLACE)}. "
            'Write it as "a photo of a {}."'
        )


TCL9 = Templates(
    "tcl9",
    (
        "itap of a {}.",
        "a bad photo of a {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
        "a photo of many {}.",
        "a photo of {}s.",
    ),
)
"""The nine templates of TCL, which the TIPSv2 notebook uses."""

IMAGENET80 = Templates(
    "imagenet80",
    (
        "a bad photo of a {}.",
        "a photo of many {}.",
        "a sculpture of a {}.",
        "a photo of the hard to see {}.",
        "a low resolution photo of the {}.",
        "a rendering of a {}.",
        "graffiti of a {}.",
        "a bad photo of the {}.",
        "a cropped photo of the {}.",
        "a tattoo of a {}.",
        "the embroidered {}.",
        "a photo of a hard to see {}.",
        "a bright photo of a {}.",
        "a photo of a clean {}.",
        "a photo of a dirty {}.",
        "a dark photo of the {}.",
        "a drawing of a {}.",
        "a photo of my {}.",
        "the plastic {}.",
        "a photo of the cool {}.",
        "a close-up photo of a {}.",
        "a black and white photo of the {}.",
        "a painting of the {}.",
        "a painting of a {}.",
        "a pixelated photo of the {}.",
        "a sculpture of the {}.",
        "a bright photo of the {}.",
        "a cropped photo of a {}.",
        "a plastic {}.",
        "a photo of the dirty {}.",
        "a jpeg corrupted photo of a {}.",
        "a blurry photo of the {}.",
        "a photo of the {}.",
        "a good photo of the {}.",
        "a rendering of the {}.",
        "a {} in a video game.",
        "a photo of one {}.",
        "a doodle of a {}.",
        "a close-up photo of the {}.",
        "a photo of a {}.",
        "the origami {}.",
        "the {} in a video game.",
        "a sketch of a {}.",
        "a doodle of the {}.",
        "a origami {}.",
        "a low resolution photo of a {}.",
        "the toy {}.",
        "a rendition of the {}.",
        "a photo of the clean {}.",
        "a photo of a large {}.",
        "a rendition of a {}.",
        "a photo of a nice {}.",
        "a photo of a weird {}.",
        "a blurry photo of a {}.",
        "a cartoon {}.",
        "art of a {}.",
        "a sketch of the {}.",
        "a embroidered {}.",
        "a pixelated photo of a {}.",
        "itap of the {}.",
        "a jpeg corrupted photo of the {}.",
        "a good photo of a {}.",
        "a plushie {}.",
        "a photo of the nice {}.",
        "a photo of the small {}.",
        "a photo of the weird {}.",
        "the cartoon {}.",
        "art of the {}.",
        "a drawing of the {}.",
        "a photo of the large {}.",
        "a black and white photo of a {}.",
        "the plushie {}.",
        "a dark photo of a {}.",
        "itap of a {}.",
        "graffiti of the {}.",
        "a toy {}.",
        "itap of my {}.",
        "a photo of a cool {}.",
        "a photo of a small {}.",
        "a tattoo of the {}.",
    ),
)
"""The eighty templates of CLIP for ImageNet (CLIP's repository, notebook "Prompt Engineering for ImageNet")."""

IMAGENET7 = Templates(
    "imagenet7",
    (
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
    ),
)
"""Seven of the eighty, selected by CLIP's authors one after another, in that order (same notebook)."""

PLAIN = Templates("plain", ("{}",))
"""The word alone."""

TEMPLATES: dict[str, Templates] = {"tcl9": TCL9, "imagenet80": IMAGENET80, "imagenet7": IMAGENET7, "plain": PLAIN}
"""The packaged templates by name."""
