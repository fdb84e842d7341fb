"""COCO, background (0) and 80 objects: reads the converted *_instanceTrainIds.png."""

_base_ = ["_base_.py"]

model = dict(classes="coco-object")
test_dataloader = dict(
    dataset=dict(
        type="COCOObjectDataset",
        data_root="data/coco_object",
        data_prefix=dict(img_path="images/val2017", seg_map_path="annotations/val2017"),
    ),
)
