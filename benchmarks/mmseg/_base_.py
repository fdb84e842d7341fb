"""What all eight have in common: a model, images as they are on disk, and mIoU."""

default_scope = "mmseg"
custom_hooks = [dict(type="ClassCountHook")]

model = dict(
    type="DenseZeroSegmentor",
    model="tipsv2-l14",
    protocol="tips-slide",
    templates=None,
    short_side_px=None,
    refine=None,
    device="auto",
    dtype="float32",
)

test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        test_mode=True,
        # No Resize: the protocol makes the model input. Pillow decodes, as in densezero.
        pipeline=[
            dict(type="LoadImageFromFile", imdecode_backend="pillow"),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_cfg = dict(type="TestLoop")
test_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
