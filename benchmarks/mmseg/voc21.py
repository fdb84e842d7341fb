"""Pascal VOC 2012, background (0) and 20 objects: the border (255) is ignored."""

_base_ = ["_base_.py"]

model = dict(classes="voc21")
test_dataloader = dict(
    dataset=dict(
        type="PascalVOCDataset",
        data_root="data/VOCdevkit/VOC2012",
        ann_file="ImageSets/Segmentation/val.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
    ),
)
