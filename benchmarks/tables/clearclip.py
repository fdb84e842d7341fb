"""The table of ClearCLIP (arXiv 2407.12442, table 2) beside our numbers.

    python benchmarks/tables/clearclip.py --root ade20k=PATH --root voc20=PATH --out DIR

The read-out q-q-bare is ClearCLIP's last block: attention between queries, no residual, no MLP.
"""

import sys

from published_table import Entry, main

MODELS = ("open_clip:ViT-B-16/openai", "open_clip:ViT-L-14/openai")

if __name__ == "__main__":
    sys.exit(main(__doc__, [Entry(model, "ovss-clearclip", "q-q-bare") for model in MODELS]))
