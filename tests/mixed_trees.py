"""Small stand-ins for the four data sets of configs/mixed: the files under their own names, a few pixels each."""

import numpy as np
from transformers import Dinov2Config, Dinov2Model

from folder_toys import put

OFFICE_CLASSES = [93, 98, 76, 12, 80, 87, 20, 44, 63, 60, 37, 40, 10, 31, 35, 22, 95, 83, 56, 79, 17, 82, 0]
"""Stored values of the room's classes, and of none."""
ANSWERS = 0x5000
"""Five people were asked."""


def write_encoder(folder):
    """Write a DINOv2 of a few channels, patches of 14 pixels, as transformers does."""
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


def write_mixed(root):
    """Write the four sets below a folder."""
    generator = np.random.default_rng(0)

    def photo(rows, columns):
        return generator.integers(0, 256, (rows, columns, 3), dtype=np.uint8)

    def draw(values, shape, kind):
        return generator.choice(np.array(values), shape).astype(kind)

    _write_bsds(root / "bsds_sod", photo, draw)
    office = root / "replica_office0"
    names = [f"{number:04d}" for number in range(64)]
    for name in names:
        put(office / f"images/{name}.jpg", photo(34, 60))
        put(office / f"semantic/{name}.png", draw(OFFICE_CLASSES, (34, 60), np.uint8))
        put(office / f"instance/{name}.png", draw(range(5), (34, 60), np.uint8))
        put(office / f"depth_mm/{name}.png", np.full((34, 60), 2000, np.uint16))
    (office / "frames.txt").write_text("\n".join(names))
    for number in range(160):
        put(root / f"ccp_parts/images/{number:04d}.jpg", photo(40, 28))
        put(root / f"ccp_parts/labels/{number:04d}.png", draw(range(59), (40, 28), np.uint8))
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            put(root / f"camvid_240/{split}/{split}{number}.jpg", photo(18, 24))
            put(root / f"camvid_240/{split}annot/{split}{number}.png", draw(range(12), (18, 24), np.uint8))
    return root


def _write_bsds(folder, photo, draw):
    for split, count in (("train", 3), ("val", 2)):
        names = [f"{split}{number}" for number in range(count)]
        for number, name in enumerate(names):
            shape = (40, 24) if number % 2 else (24, 40)
            put(folder / f"images/{name}.jpg", photo(*shape))
            put(folder / f"boundaries/{name}.png", ANSWERS + draw([0] * 20 + [1, 2, 6], shape, np.uint16))
            put(folder / f"saliency/{name}.png", draw([0, 255], shape, np.uint8))
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
