"""Runs mmsegmentation's test of one benchmark.

``python benchmarks/mmseg/run.py benchmarks/mmseg/voc21.py --root VOCdevkit/VOC2012 --cfg-options model.model=nano``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from densezero.errors import DenseZeroError
from densezero.integrations import mmseg


def main() -> int:
    """Run the test and print its scores; 2 if the request cannot be met."""
    try:
        mmseg.register()
        return test(read_options())
    except DenseZeroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def read_options() -> argparse.Namespace:
    """Read the command line; mmengine reads the changes to the config."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="one of benchmarks/mmseg/*.py")
    parser.add_argument("--root", type=Path, help="folder of the data set, in place of the config's data_root")
    parser.add_argument("--work-dir", type=Path, help="where mmengine logs [runs/mmseg/CONFIG]")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="changes, for example model.model=nano")
    options = parser.parse_args()
    for kind, path, there in (
        ("a config file", options.config, options.config.is_file()),
        ("the folder of a data set", options.root, options.root is None or options.root.is_dir()),
    ):
        if not there:
            parser.error(f"expected {kind}, but there is none at {path}; check its spelling")
    return options


def test(options: argparse.Namespace) -> int:
    """Build the runner, test, print."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    config = Config.fromfile(options.config)
    config.merge_from_dict(options.cfg_options or {})
    if options.root:
        config.test_dataloader.dataset.data_root = str(options.root)
    config.work_dir = str(options.work_dir or Path("runs") / "mmseg" / options.config.stem)
    runner = Runner.from_cfg(config)
    if note := runner.model.segmenter.encoder.note:
        print(f"note: {note}", file=sys.stderr)
    scores = runner.test()
    print("  ".join(f"{name} {float(score):.2f}" for name, score in scores.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
