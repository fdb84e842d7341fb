import base64
import hashlib
import io
import json
import re

import numpy as np
import torch
from PIL import Image

from densezero.features.low_rank import fit_low_rank
from densezero.output.feature_page.page import PageImage, PageSource, make_feature_page
from densezero.output.picture import encode_for_page

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">.png'


def write(title="Patch features", name="a.png"):
    grid = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1))
    kept = fit_low_rank([grid])
    pictures = [np.full((30, 40, 3), level, np.uint8) for level in (10, 200)]
    heat = np.linspace(0, 255, 768).reshape(256, 3).astype(np.uint8)
    image = PageImage(name, pictures, [kept.encode(grid)])
    source = PageSource("nano", kept, 0.01)
    return make_feature_page(title, ["image", "nano"], [source], [image], heat, {"models": title}), kept, grid


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page).group(1))


def test_the_data_give_back_pictures_and_features():
    page, kept, grid = write()
    data = data_of(page)
    (image,) = data["images"]
    assert (data["columns"], image["width"], image["height"]) == (["image", "nano"], 40, 30)
    kind, _, content = image["pictures"][1].partition(";base64,")
    assert kind == "data:image/png"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert (np.array(picture) == 200).all() and picture.size == (40, 30)
    codes = np.frombuffer(base64.b64decode(image["grids"][0]["codes"]), np.uint8).reshape(3, 4, 6)
    assert (codes == kept.encode(grid)).all()
    low, step = (np.array(data["sources"][0][name], np.float32) for name in ("low", "step"))
    assert (low == kept.low).all() and (step == kept.step).all()


def test_only_its_own_script_may_run_and_nothing_is_loaded():
    page, *_ = write()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "http" not in page.replace("http-equiv", "")


def test_names_are_escaped():
    page, *_ = write(EVIL, EVIL)
    assert EVIL not in page and "<img src=x" not in page
    assert page.count("<script") == 2
    assert data_of(page)["images"][0]["name"] == EVIL


def test_equal_input_gives_equal_text():
    assert write()[0] == write()[0]


def test_a_picture_takes_the_smaller_file():
    flat = np.full((64, 64, 3), 7, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    assert [encode_for_page(rgb)[1] for rgb in (flat, noise)] == ["image/png", "image/jpeg"]
    with Image.open(io.BytesIO(encode_for_page(noise)[0])) as picture:
        assert np.abs(np.array(picture).astype(int) - noise).mean() < 12
