"""Pascal Context, 59 classes: in the converted files 0 is ignored and k is class k - 1."""

_base_ = ["_base_.py"]

model = dict(classes="pascal-context59")
test_dataloader = dict(
    dataset=dict(
        type="PascalContextDataset59",
        data_root="data/VOCdevkit/VOC2010",
        ann_file="ImageSets/SegmentationContext/val.txt",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClassContext"),
    ),
)
