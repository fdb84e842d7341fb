"""COCO-Stuff, 171 classes: reads the converted *_labelTrainIds.png."""

_base_ = ["_base_.py"]

model = dict(classes="coco-stuff")
test_dataloader = dict(
    dataset=dict(
        type="COCOStuffDataset",
        data_root="data/coco_stuff164k",
        data_prefix=dict(img_path="images/val2017", seg_map_path="annotations/val2017"),
    ),
)
