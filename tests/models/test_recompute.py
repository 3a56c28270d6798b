import pytest
import torch

from pamm.models import create_model
from pamm.models.recompute import call


def step(model, image):
    torch.manual_seed(5)
    outputs = model(image)
    sum(output.square().mean() for output in outputs.values()).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    "changes", [{}, {"expert_kernel": 3, "local_branch": True}, {"encoder": "dinov3", "encoder_width": 16}]
)
def test_same_gradients_and_statistics(small, changes):
    """With noise in the gates and stochastic depth, which are drawn alike both times."""
    plain = create_model(small(**changes, stochastic_depth=0.5))
    other = create_model(plain.config)
    other.load_state_dict(plain.state_dict())
    image = torch.randn(2, 3, 24, 32)
    wanted, got = step(plain, image), step(other.set_recompute(), image)
    for name, gradient in wanted.items():
        assert torch.equal(got[name], gradient), name
    buffers = dict(other.named_buffers())
    assert any("running_mean" in name for name in buffers)
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffers[name], buffer), name


def kept(model, image) -> int:
    """Numbers that are kept for the backward pass, the parameters aside."""
    own = {parameter.data_ptr() for parameter in model.parameters()}
    found = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if tensor.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = model(image)
    assert outputs
    return sum(found.values())


def test_keeps_little(small):
    model, image = create_model(small(image_size=(48, 64))), torch.randn(2, 3, 48, 64)
    assert kept(model.set_recompute(), image) < 0.4 * kept(model.set_recompute(False), image)


def test_plain_call_without_gradients(small):
    model = create_model(small()).set_recompute().eval()
    with torch.no_grad():
        outputs = model(torch.randn(1, 3, 24, 32))
    assert not any(output.requires_grad for output in outputs.values())


def test_statistics_are_tracked_again_after_an_error():
    norm = torch.nn.BatchNorm1d(2)

    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.calls = norm, 0

        def forward(self, x):
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("second call")
            return self.norm(x)

    out = call(Broken(), torch.randn(3, 2, requires_grad=True), recompute=True)
    with pytest.raises(RuntimeError, match="second call"):
        out.sum().backward()
    assert norm.track_running_stats
    assert norm.num_batches_tracked == 1
