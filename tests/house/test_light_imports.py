import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = ("torch", "cv2", "sklearn", "matplotlib", "PIL", "transformers", "huggingface_hub", "pycocotools")

# What a first mask by the embedded model can do without; torch's compiler takes longer to load than torch itself.
NOT_FOR_A_MASK = (
    "torch._dynamo", "torch._inductor", "torch.distributed.tensor", "torch.optim", "sympy", "torchvision", "timm",
    "open_clip", "transformers", "huggingface_hub", "sklearn", "scipy", "pandas", "matplotlib", "pycocotools", "rich",
    "numpy.testing", "sentencepiece",
)  # fmt: skip


def loaded_by(code, names=HEAVY, before=""):
    """Which of these libraries the code loads in a fresh interpreter, apart from what was loaded before it."""
    probe = (
        f"import sys\n{before}\nearlier = set(sys.modules)\n{code}\n"
        f"print([name for name in {names!r} if name in sys.modules and name not in earlier])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_densezero_loads_nothing_heavy():
    assert loaded_by("import densezero, densezero.engine, densezero.encoders, densezero.vocabulary") == "[]"


def test_help_loads_nothing_heavy():
    help_of = (
        "import contextlib, io, sys\n"
        "from densezero.cli.main import app\n"
        "commands = [[name, '--help'] for name in ('segment', 'depth', 'normals', 'pca', 'similarity', 'features')]\n"
        "for words in (['--help'], *commands, ['models', 'list'], ['formats', 'list']):\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        try: app(words)\n"
        "        except SystemExit as end: assert not end.code, end.code\n"
        "    assert len(out.getvalue()) > 100\n"
    )
    assert loaded_by(help_of) == "[]"


@pytest.mark.slow
def test_a_first_mask_loads_what_it_needs_and_no_more(tmp_path):
    scene, out = ROOT / "assets" / "scenes" / "lake.jpg", tmp_path / "out"
    words = ["segment", str(scene), "--classes", "sky, grass, cat", "--model", "nano", "--overwrite", "--out", str(out)]
    segment = (
        "from densezero.cli.main import app\n"
        f"try: app({words!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
    )
    # What torch itself loads is not ours to choose; torch 2.6 loads sympy for a tensor without memory.
    torch_alone = "import torch; torch.zeros(1, device='meta')"
    assert loaded_by(segment, NOT_FOR_A_MASK, torch_alone) == "['sentencepiece']", "the words are tokenised once"
    assert loaded_by(segment, NOT_FOR_A_MASK, torch_alone) == "[]", "known words need no tokenizer"
    assert (out / "labels" / "lake.png").is_file()


def test_the_probe_sees_what_is_heavy():
    assert "torch" in loaded_by("import densezero; densezero.Segmenter")


def test_every_public_name_is_there():
    import densezero

    assert len(densezero.__all__) <= 15
    assert all(getattr(densezero, name) is not None for name in densezero.__all__)
    assert set(densezero.__all__) <= set(dir(densezero))
