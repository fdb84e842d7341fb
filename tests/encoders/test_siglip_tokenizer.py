"""open_clip takes the tokenizers of SigLIP from transformers. This test makes a small one of the same kind."""

import open_clip
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "red": 4, "house": 5}


def save_tokenizer(folder):
    """Write a tokenizer.json that ends each text with </s>, as SigLIP's do."""
    words = Tokenizer(models.WordLevel(WORDS, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(folder)


def test_a_tokenizer_of_transformers_ends_and_pads_texts_through_open_clip(tmp_path):
    save_tokenizer(tmp_path)
    tokenize = open_clip.tokenizer.HFTokenizer(str(tmp_path), context_length=6, clean="canonicalize")
    ids = torch.tensor([[3, 4, 5, 1, 0, 0], [2, 1, 0, 0, 0, 0]])
    assert torch.equal(tokenize(["A red house.", "boat"]), ids)
