"""The zero-shot segmentation table of TIPSv2 (arXiv 2604.12012) beside our numbers.

    python benchmarks/tables/tipsv2.py --root ade20k=PATH --root voc21=PATH --out DIR

Cells whose data set has no root are left out, which standard error says. Finished cells are read from their reports, so
a stopped run goes on. What needs neither weights nor data sets, `nano` on drawn scenes, is run by

    python benchmarks/write_scenes.py SCENES
    python benchmarks/tables/tipsv2.py --root scenes=SCENES --model nano --out DIR
"""

import sys

from published_table import Entry, main

SIZES = ("tipsv2-b14", "tipsv2-l14", "tipsv2-so400m14", "tipsv2-g14", "tips-l14")

if __name__ == "__main__":
    sys.exit(main(__doc__, [Entry(model, "tips-simple") for model in SIZES] + [Entry("tipsv2-l14", "tips-slide")]))
