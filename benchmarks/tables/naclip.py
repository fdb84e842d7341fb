"""The table of NACLIP (arXiv 2404.08181) beside our numbers.

    python benchmarks/tables/naclip.py --root ade20k=PATH --root voc21=PATH --out DIR

NACLIP adds a Gaussian around each patch to attention between keys, without residual and MLP. densezero has k-k-bare,
which lacks the Gaussian, so this row shows its protocol with the nearest read-out and does not repeat its number.
"""

import sys

from published_table import Entry, main

if __name__ == "__main__":
    sys.exit(main(__doc__, [Entry("open_clip:ViT-B-16/openai", "ovss-naclip", "k-k-bare")]))
