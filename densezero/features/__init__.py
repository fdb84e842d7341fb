"""Dense feature maps of images, and what turns them into pictures: PCA, k-means, similarity, upsampling, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.features.align import Alignment
    from densezero.features.basis import PcaBasis, load_bases, load_basis, save_bases, save_basis
    from densezero.features.choices import COLOR_MAPPINGS, DEFAULT_GRID_SIDE, SHOWS, UPSAMPLERS
    from densezero.features.clusters import Clusters, fit_clusters
    from densezero.features.colour import first_component, to_rgb
    from densezero.features.dense import encode_grid, plan_grid
    from densezero.features.disk_cache import DiskCache
    from densezero.features.pca import fit_pca
    from densezero.features.similarity import point_similarity
    from densezero.features.upsampling import upsample

_MODULES = {
    "COLOR_MAPPINGS": "choices",
    "DEFAULT_GRID_SIDE": "choices",
    "SHOWS": "choices",
    "UPSAMPLERS": "choices",
    "Alignment": "align",
    "Clusters": "clusters",
    "DiskCache": "disk_cache",
    "PcaBasis": "basis",
    "encode_grid": "dense",
    "first_component": "colour",
    "fit_clusters": "clusters",
    "fit_pca": "pca",
    "load_bases": "basis",
    "load_basis": "basis",
    "plan_grid": "dense",
    "point_similarity": "similarity",
    "save_bases": "basis",
    "save_basis": "basis",
    "to_rgb": "colour",
    "upsample": "upsampling",
}

__all__ = [
    "COLOR_MAPPINGS",
    "DEFAULT_GRID_SIDE",
    "SHOWS",
    "UPSAMPLERS",
    "Alignment",
    "Clusters",
    "DiskCache",
    "PcaBasis",
    "encode_grid",
    "first_component",
    "fit_clusters",
    "fit_pca",
    "load_bases",
    "load_basis",
    "plan_grid",
    "point_similarity",
    "save_bases",
    "save_basis",
    "to_rgb",
    "upsample",
]

# The command line reads the tables of choices. It must start without torch.
__getattr__ = lazy_names(__name__, {name: f"densezero.features.{module}" for name, module in _MODULES.items()})
