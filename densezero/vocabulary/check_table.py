"""Writes the result of a check as text: a table of findings, of synonyms and of words that win."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from densezero.vocabulary.check import SynonymRow
from densezero.vocabulary.closeness import FAR, NEAR, Closeness
from densezero.vocabulary.findings import KINDS, NAMES, Finding
from densezero.vocabulary.wins import WordWins, count_images

ROWS_OF_KIND: Final = 8
"""Findings of one kind that are shown; JSON has all."""

ROWS: Final = 12
"""Rows of the other tables that are shown."""

_WIDTH, _WHERE, _PART = 112, 26, 22


def write_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Write the table of findings, a suggestion under each."""
    if not findings:
        yield "Nothing was found that should be changed."
        return
    yield f"{len(findings)} finding{'' if len(findings) == 1 else 's'}, the most serious first."
    for name, kind in KINDS.items():
        of_kind = [finding for finding in findings if finding.kind == name]
        if of_kind:
            yield from ("", f"{kind.title.upper()} ({len(of_kind)}). {kind.why}")
        for finding in of_kind[:ROWS_OF_KIND]:
            yield from _finding_lines(finding)
        if len(of_kind) > ROWS_OF_KIND:
            yield f"  ... and {len(of_kind) - ROWS_OF_KIND} more; --json lists all"


def write_synonyms(rows: Sequence[SynonymRow], background: str | None = None) -> Iterator[str]:
    """Write how far apart the words of each class lie.

    Args:
        rows: of the classes with several words.
        background: name of the class for everything else, whose words need not be close; None if there is none.
    """
    if not rows:
        yield "No class has synonyms (name=synonym|synonym)."
        return
    yield "SYNONYMS. The two words of each class that lie farthest apart. In brackets: the share of ordinary pairs that"
    yield "are less close; see below."
    yield f"  {'class':<{_WHERE}}  words  cosine           farthest apart"
    for row in rows[:ROWS]:
        pair = " / ".join(_cut(word, _PART) for word in row.pair)
        note = "  (background: need not be close)" if row.name == background else ""
        closeness = f"{row.cosine:6.3f} ({100 * row.share:.0f} %)"
        yield f"  {_cut(row.name, _WHERE):<{_WHERE}}  {row.words:>5}  {closeness:<15}  {pair}{note}"
    if len(rows) > ROWS:
        yield f"  ... and {len(rows) - ROWS} more classes; --json lists all"


def write_wins(rows: Iterable[WordWins], images: int, images_found: int) -> Iterator[str]:
    """Write the words that win most pixels of the images, and the number of images in which they win.

    Args:
        rows: of all words.
        images: number of images that were read.
        images_found: number of images that were found.
    """
    ranked = sorted((row for row in rows if row.images), key=lambda row: -row.share)
    read = count_images(images) if images == images_found else f"{images:,} of {count_images(images_found)}"
    yield f"WINNING WORDS on {read}: mean share of the pixels, and images with a pixel of it."
    yield f"  {'word':<{_WHERE}}  {'class':<{_WHERE}}   share  images"
    for row in ranked[:ROWS]:
        word, name = _cut(row.word, _WHERE), _cut(row.name, _WHERE)
        yield f"  {word:<{_WHERE}}  {name:<{_WHERE}}  {100 * row.share:4.1f} %  {row.images:>6}"
    if len(ranked) > ROWS:
        yield f"  ... and {len(ranked) - ROWS} more words; --json lists all"


def explain_scale(scale: Closeness, model: str, is_reference: bool = False) -> Iterator[str]:
    """Say what "close" means, and what words are worth.

    Args:
        scale: of the model.
        model: its name.
        is_reference: whether the list that was checked is the one that sets the scale.
    """
    yield from textwrap.wrap(
        "The cosine of two words is 1 if the model sees no difference. Cosines differ between models, so they are "
        f"compared with ordinary pairs: the {len(scale.cosines):,} pairs of the 150 class names of ADE20K, in {model}. "
        f"Hard to tell apart is {scale.near:.3f} or more, which {1000 * (1 - NEAR):.0f} in 1,000 of these pairs reach. "
        f"Unlike its synonyms is less than {scale.far:.3f}, which {100 * (1 - FAR):.0f} in 100 of these pairs reach."
        + (" This list is the one compared with, so some of its pairs are always named." if is_reference else ""),
        _WIDTH,
    )
    yield from textwrap.wrap(
        "Words matter: in four published code bases, swapping names for synonyms moved mIoU by 5 to 14 points. So try "
        "several words, and compare their masks, or their scores by `densezero evaluate` if you have labels.",
        _WIDTH,
    )


def _finding_lines(finding: Finding) -> Iterator[str]:
    """Write a finding: the classes, and beside them what was seen and what to do."""
    left = 2 + _WHERE + 2
    where = _name_classes(finding)
    texts = [*_wrap(finding.seen, left), *_wrap(f"-> {finding.suggestion}", left)]
    for beside, text in zip_longest(where, texts, fillvalue=""):
        yield f"  {beside:<{_WHERE}}  {text}".rstrip()


def _name_classes(finding: Finding) -> list[str]:
    """Name the classes of a finding in short lines: each on its own if its line in the file is known."""
    if len(finding.classes) > NAMES:
        return [f"{len(finding.classes)} classes"]
    if finding.lines:
        located = zip(finding.lines, finding.classes, strict=True)
        return [_cut(f"line {line}: {name}", _WHERE) for line, name in located]
    return textwrap.wrap(_cut(", ".join(finding.classes), 3 * _WHERE), _WHERE, break_on_hyphens=False)


def _wrap(text: str, left: int) -> list[str]:
    indent = "   " if text.startswith("->") else ""
    return textwrap.wrap(text, _WIDTH - left, subsequent_indent=indent, break_on_hyphens=False)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
