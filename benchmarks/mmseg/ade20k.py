"""ADE20K, 150 classes: in the files 0 is ignored and k is class k - 1."""

_base_ = ["_base_.py"]

model = dict(classes="ade20k")
test_dataloader = dict(
    dataset=dict(
        type="ADE20KDataset",
        data_root="data/ade/ADEChallengeData2016",
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
    ),
)
