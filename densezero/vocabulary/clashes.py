"""Goes on with a class list that no command would take, because two of its classes have a word or a name in common."""

from __future__ import annotations

from dataclasses import replace

from densezero.vocabulary.classes import Clash, Draft, find_clashes
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.findings import Finding, shorten


def take_clashes_out(draft: Draft) -> tuple[Draft, list[Finding]]:
    """Leave out the second class of a name, and the second place of a word.

    Args:
        draft: as the user wrote it.

    Returns:
        The rest of the draft, without the classes that have no word left; and a finding for each clash.
    """
    clashes = list(find_clashes(draft.entries, draft.shared_words))
    repeated = {clash.second for clash in clashes if clash.is_name}
    left_out = {(clash.second, clash.word) for clash in clashes}
    kept: list[int] = []
    entries: list[ClassEntry] = []
    for index, entry in enumerate(draft.entries):
        words = tuple(word for word in entry.words if (index, word) not in left_out)
        if words and index not in repeated:
            kept.append(index)
            entries.append(replace(entry, words=words))
    ids = None if draft.ids is None else tuple(draft.ids[index] for index in kept)
    lines = tuple(draft.lines[index] for index in kept) if draft.lines else ()
    return draft._replace(entries=tuple(entries), ids=ids, lines=lines), [_finding(draft, clash) for clash in clashes]


def _finding(draft: Draft, clash: Clash) -> Finding:
    both = clash.first, clash.second
    names = draft.entries[clash.first].name, draft.entries[clash.second].name
    lines = tuple(draft.lines[index] for index in both) if draft.lines else ()
    word = shorten(clash.word)
    if clash.is_name:
        seen, advice = f"two classes are called {word}", "Remove one of them, or give it another name."
    else:
        seen, advice = f"{word} is a word of both", "Keep it in one of them."
    return Finding("refused", names, (clash.word,), seen, advice, lines=lines)
