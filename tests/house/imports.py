"""Reads the imports of the package's modules, for the tests of floors and walls."""

import ast
from pathlib import Path
from typing import NamedTuple

FLOORS = {
    "errors": 0, "lazy": 0, "interrupts": 0, "progress": 0,  # every floor may import these
    "atomic": 1, "metrics": 1,
    "encoders": 2, "images": 2,
    "features": 3, "vocabulary": 3, "pretrain": 3,
    "output": 4, "datasets": 4, "examples": 4,
    "engine": 5, "heads": 5,
    "evaluation": 6, "integrations": 6, "regions": 6, "classifiers": 6,
    "jobs": 7, "cli": 8, "__main__": 9,
}  # fmt: skip

# Heavy libraries and the rooms or files that alone may import them.
SITES = {
    "cv2": ("images/", "output/"),
    "PIL": ("images/", "output/", "heads/prediction.py"),
    "rasterio": ("images/rasters.py",),
    "sklearn": ("features/", "classifiers/"),
    "open_clip": ("encoders/openclip.py",),
    "timm": ("encoders/timm.py",),
    "supervision": ("output/segmentation.py", "output/detections.py"),
    "pycocotools": ("output/coco_json.py", "datasets/coco.py"),
    "matplotlib": ("features/figure/", "evaluation/"),
    "mmseg": ("integrations/mmseg.py",),
    "mmengine": ("integrations/mmseg.py",),
    "mmcv": ("integrations/mmseg.py",),
    "cvat_sdk": ("integrations/cvat.py",),
    "fiftyone": ("integrations/fiftyone.py",),
    "typer": ("cli/",),
    "huggingface_hub": ("encoders/hub.py",),
    "transformers": ("regions/sam2.py",),
    "sentencepiece": ("encoders/tips/tokenizer.py", "pretrain/wordpieces.py"),
    "h5py": ("datasets/nyu_depth.py",),
    "scipy": ("datasets/nyu_depth.py",),
}  # fmt: skip

# Walls between rooms that the floors alone would allow.
FORBIDDEN = {
    "metrics": ("torch",),
    "datasets": ("torch",),
    "images": ("torch",),
    "encoders": ("densezero.datasets", "densezero.metrics", "densezero.vocabulary"),
}  # fmt: skip


class Import(NamedTuple):
    file: str
    module: str


def read_imports(package: Path) -> list[Import]:
    """Every import in the package, inside functions too; names of ``from`` imports included as submodules."""
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [Import(relative, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found.append(Import(relative, f"{'.' * node.level}{node.module or ''}"))
    return found


def room_of(module_or_file: str) -> str:
    """``densezero.encoders.tips`` and ``encoders/tips/load.py`` both give ``encoders``."""
    parts = module_or_file.removeprefix("densezero.").replace("/", ".").removesuffix(".py").split(".")
    return parts[0]


def breaches(imports: list[Import]) -> list[str]:
    """What breaks the floors or the walls, a sentence each."""
    return [problem for found in imports for problem in (*_floor_breach(found), *_site_breach(found))]


def _floor_breach(found: Import) -> list[str]:
    if found.module.startswith("."):
        return [f"{found.file} imports relatively"]
    if not found.module.startswith("densezero.") or found.file == "__init__.py":
        return []
    here, there = room_of(found.file), room_of(found.module)
    if here == there or FLOORS[there] < FLOORS[here]:
        return []
    return [f"{found.file} (floor {FLOORS[here]}) imports {found.module} (floor {FLOORS[there]})"]


def _site_breach(found: Import) -> list[str]:
    problems = []
    top = found.module.split(".")[0]
    if top in SITES and not found.file.startswith(SITES[top]):
        problems.append(f"{found.file} imports {top}, whose place is {SITES[top]}")
    for forbidden in FORBIDDEN.get(room_of(found.file), ()):
        if found.module == forbidden or found.module.startswith(forbidden + "."):
            problems.append(f"{found.file} imports {found.module} through a wall")
    return problems
