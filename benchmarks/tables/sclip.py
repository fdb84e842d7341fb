"""The table of SCLIP (arXiv 2312.01597) beside our numbers, with the rows of other methods under its convention.

    python benchmarks/tables/sclip.py --root ade20k=PATH --root voc21=PATH --out DIR

SCLIP adds attention between queries to attention between keys. densezero has each of them alone, q-q and k-k, so these
rows show its protocol with related read-outs and do not repeat its number. value-bare is the last block of MaskCLIP.
"""

import sys

from published_table import Entry, main

READOUTS = ("value-bare", "q-q", "k-k")

if __name__ == "__main__":
    sys.exit(main(__doc__, [Entry("open_clip:ViT-B-16/openai", "ovss", readout) for readout in READOUTS]))
