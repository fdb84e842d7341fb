import sys

import numpy as np

from densezero.evaluation.bootstrap import draw_miou
from tests.conftest import ROOT


def test_the_reports_of_the_benchmark_can_be_compared_and_both_bootstraps_agree(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import comparing

    from densezero.evaluation.comparison import compare_files

    files = [tmp_path / "first.json", tmp_path / "second.json"]
    sums = [comparing.draw_report(30, 25, right, file) for right, file in zip((0.7, 0.5), files, strict=True)]
    assert compare_files(*files).miou.difference < -5
    np.testing.assert_allclose(draw_miou(sums[0]), comparing.plain_bootstrap(sums[0]), rtol=0, atol=1e-10)
    sys.modules.pop("comparing")
