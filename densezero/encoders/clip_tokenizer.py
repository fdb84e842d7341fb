"""The tokenizers of open_clip's models: a fingerprint of each kind, and one for untrained weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from torch import Tensor

from densezero.encoders.weights import facts_sha256

TextTokenizer = Callable[[list[str]], Tensor]
SETTINGS = ("context_length", "vocab_size", "strip_sep_token", "tokenizer_mode", "language")
STATE_OF_LAST_CALL = ("padding", "truncation")


class WrappedTokenizer:
    """Replaces a tokenizer that cannot be downloaded, for untrained weights: any way to split a text serves them.

    Args:
        tokenizer: another tokenizer, whose ids are taken modulo the size of the vocabulary.
        vocab_size: number of ids that the text tower has.
    """

    def __init__(self, tokenizer: TextTokenizer, vocab_size: int) -> None:
        self.tokenizer, self.vocab_size = tokenizer, vocab_size

    def __call__(self, texts: list[str]) -> Tensor:
        """Turn N texts into (N, T) ids."""
        return self.tokenizer(texts) % self.vocab_size


def tokenizer_sha256(tokenizer: Any) -> str:
    """Hexadecimal SHA-256 over all that determines a text's ids: vocabulary, rules, settings, version of open_clip."""
    return facts_sha256(_facts(tokenizer))


def _facts(tokenizer: Any) -> dict[str, Any]:
    facts = {name: getattr(tokenizer, name) for name in SETTINGS if hasattr(tokenizer, name)}
    facts["class"] = _name_of(tokenizer if hasattr(tokenizer, "__qualname__") else type(tokenizer))
    facts["library"] = version("open_clip_torch")
    if hasattr(tokenizer, "clean_fn"):
        facts["clean"] = _name_of(tokenizer.clean_fn)
    if hasattr(tokenizer, "encoder"):
        facts["vocabulary"] = tokenizer.encoder
    inner: Any = getattr(tokenizer, "tokenizer", None)
    if isinstance(tokenizer, WrappedTokenizer):
        facts["wrapped"] = _facts(inner)
    elif hasattr(inner, "backend_tokenizer"):
        rules = json.loads(inner.backend_tokenizer.to_str())
        facts["rules"] = {name: value for name, value in rules.items() if name not in STATE_OF_LAST_CALL}
    elif hasattr(inner, "get_vocab"):
        facts["vocabulary"] = inner.get_vocab()
    return facts


def _name_of(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
