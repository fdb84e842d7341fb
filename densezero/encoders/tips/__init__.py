"""The TIPS towers, version 1 and 2, in torch only."""

from densezero.encoders.tips.config import PUBLISHED_SIZES, TextConfig, VisionConfig
from densezero.encoders.tips.encoder import TipsEncoder
from densezero.encoders.tips.image_encoder import TipsImageEncoder
from densezero.encoders.tips.load import TipsOptions, load_tips, load_tips_folder
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.encoders.tips.vision import VisionFeatures, VisionTower

__all__ = [
    "PUBLISHED_SIZES",
    "TextConfig",
    "TextTower",
    "TipsEncoder",
    "TipsImageEncoder",
    "TipsOptions",
    "Tokenizer",
    "VisionConfig",
    "VisionFeatures",
    "VisionTower",
    "load_tips",
    "load_tips_folder",
]
