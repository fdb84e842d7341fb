"""Cityscapes, 19 classes: reads the converted *_gtFine_labelTrainIds.png."""

_base_ = ["_base_.py"]

model = dict(classes="cityscapes")
test_dataloader = dict(
    dataset=dict(
        type="CityscapesDataset",
        data_root="data/cityscapes",
        data_prefix=dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val"),
    ),
)
