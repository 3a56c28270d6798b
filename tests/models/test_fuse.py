import pytest
import torch

from pamm.engine.weights import save_weights
from pamm.models import create_model, fuse


@pytest.mark.parametrize("changes", [{}, {"expert_kernel": 3}, {"head_scale": 1, "scan": False, "local_branch": True}])
def test_predicts_the_same(small, changes):
    model = create_model(small(**changes))
    for norm in (layer for layer in model.modules() if hasattr(layer, "running_var") and layer.affine):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.2, 3)
    model = model.double().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    image = torch.randn(2, 3, 24, 32, dtype=torch.double)
    fused = fuse(model)
    wanted, got = model(image), fused(image)
    for name, output in wanted.items():
        torch.testing.assert_close(got[name], output)
        assert not got[name].requires_grad
    gradients = []
    for network in (model, fused):
        picture = image.clone().requires_grad_()
        sum(output.sin().sum() for output in network(picture).values()).backward()
        gradients.append(picture.grad)
    torch.testing.assert_close(*gradients)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model.train()


def test_only_predicts(small, tmp_path):
    fused = fuse(create_model(small()))
    assert not fused.training
    assert fused.eval() is fused
    with pytest.raises(ValueError, match="only predicts"):
        fused.train()
    with pytest.raises(ValueError, match="save the one it was made from"):
        save_weights(fused, tmp_path)
    assert not list(tmp_path.iterdir())
