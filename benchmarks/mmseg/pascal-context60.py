"""Pascal Context, background (0) and 59 classes, in the converted files."""

_base_ = ["_base_.py"]

model = dict(classes="pascal-context60")
test_dataloader = dict(
    dataset=dict(
        type="PascalContextDataset",
        data_root="data/VOCdevkit/VOC2010",
        ann_file="ImageSets/SegmentationContext/val.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassContext"),
    ),
)
