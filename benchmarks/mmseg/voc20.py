"""Pascal VOC 2012, 20 objects: background and border are ignored."""

_base_ = ["_base_.py"]

model = dict(classes="voc20")
test_dataloader = dict(
    dataset=dict(
        type="VOC20Dataset",
        data_root="data/VOCdevkit/VOC2012",
        ann_file="ImageSets/Segmentation/val.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
    ),
)
