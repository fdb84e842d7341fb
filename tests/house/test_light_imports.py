import subprocess
import sys

HEAVY = ("torch", "cv2", "sklearn", "matplotlib", "PIL", "transformers", "huggingface_hub", "pycocotools")


def loaded_by(code):
    """Which heavy libraries a fresh interpreter has loaded after running the code."""
    probe = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_densezero_loads_nothing_heavy():
    assert loaded_by("import densezero, densezero.engine, densezero.encoders, densezero.vocabulary") == "[]"


def test_help_loads_nothing_heavy():
    help_of = (
        "import contextlib, io, sys\n"
        "from densezero.cli.main import app\n"
        "commands = [[name, '--help'] for name in ('segment', 'pca', 'similarity', 'features')]\n"
        "for words in (['--help'], *commands, ['models', 'list']):\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        try: app(words)\n"
        "        except SystemExit as end: assert not end.code, end.code\n"
        "    assert len(out.getvalue()) > 100\n"
    )
    assert loaded_by(help_of) == "[]"


def test_the_probe_sees_what_is_heavy():
    assert "torch" in loaded_by("import densezero; densezero.Segmenter")


def test_every_public_name_is_there():
    import densezero

    assert len(densezero.__all__) <= 15
    assert all(getattr(densezero, name) is not None for name in densezero.__all__)
    assert set(densezero.__all__) <= set(dir(densezero))
