"""mmsegmentation imports without the compiled part of mmcv, and no stand-in stays behind."""

import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
import torch

from densezero.errors import DenseZeroError
from densezero.integrations import mmseg as integration


def test_our_module_alone_loads_nothing_of_it():
    probe = "import densezero.integrations.mmseg, sys; print({'mmseg', 'mmcv', 'mmengine'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmcv", None)
    with pytest.raises(DenseZeroError, match=r"mmcv-lite 2\.1; .*pip install 'densezero\[mmseg\]'"):
        integration.import_mmseg()
    assert "mmcv._ext" not in sys.modules


def test_a_version_that_does_not_fit_is_named_in_the_message(monkeypatch):
    def register_again():
        raise KeyError("Adafactor is already registered in optimizer at torch.optim")

    monkeypatch.setattr(integration, "_stand_in", register_again)
    with pytest.raises(DenseZeroError, match=r"Adafactor is already registered .*pip install 'densezero\[mmseg\]'"):
        integration.import_mmseg()


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'Segmentor'"):
        _ = integration.Segmentor


@pytest.mark.skipif(not hasattr(pkgutil, "find_loader"), reason="mmengine asks by a function that this Python lacks")
@pytest.mark.filterwarnings("ignore:.*find_loader:DeprecationWarning")
def test_mmengine_still_knows_that_there_are_no_compiled_operations(mmseg):
    from mmengine.utils.dl_utils import mmcv_full_available

    assert not mmcv_full_available()


def test_nothing_of_the_stand_in_is_left(mmseg):
    import mmcv

    assert [name for name in sys.modules if name == "mmcv._ext" or name.startswith("mmcv.ops")] == []
    assert not hasattr(mmcv, "ops")
    with pytest.raises(ModuleNotFoundError, match=r"mmcv\._ext"):
        import_module("mmcv.ops")


def test_a_compiled_operation_refuses_to_run(mmseg):
    from mmseg.models.decode_heads.psa_head import PSAMask

    with pytest.raises(DenseZeroError, match="psamask_forward needs the compiled part of mmcv"):
        PSAMask("collect", (2, 2))(torch.zeros(1, 4, 2, 2))


def test_importing_again_gives_the_same_package(mmseg):
    assert mmseg.import_mmseg() is sys.modules["mmseg"]
    mmseg.register()
    assert mmseg.VOC20Dataset is mmseg.VOC20Dataset


def test_a_data_set_can_be_sent_to_a_worker(mmseg, tmp_path):
    (tmp_path / "a.jpg").touch()
    images = mmseg.VOC20Dataset(str(tmp_path), {"img_path": "", "seg_map_path": ""})
    again = pickle.loads(pickle.dumps(images))
    assert type(again) is mmseg.VOC20Dataset
    assert again.get_data_info(0)["img_path"] == str(tmp_path / "a.jpg")
