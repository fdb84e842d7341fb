"""The table of ProxyCLIP (arXiv 2408.04883) beside our numbers.

    python benchmarks/tables/proxyclip.py --root ade20k=PATH --root voc21=PATH --out DIR

ProxyCLIP takes the attention of its last block from a second encoder, DINO. densezero has one encoder at a time, so
this row shows its protocol with the read-out value-bare and does not repeat its number.
"""

import sys

from published_table import Entry, main

if __name__ == "__main__":
    sys.exit(main(__doc__, [Entry("open_clip:ViT-B-16/openai", "ovss-proxyclip", "value-bare")]))
