"""Networks of which each process holds a part of every weight (FSDP2)."""

from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from pamm.models import PAMM
from pamm.models.layers import NO_DECAY


def shard(model: PAMM, mesh: DeviceMesh) -> None:
    """Share the weights of a network out, in place.

    Encoder blocks, stages, fusion and heads each are gathered when they run, and what is left of the network before
    the first of them.

    Args:
        model: the network, the same in all processes.
        mesh: the processes, one dimension.
    """
    marked = [name for name, parameter in model.named_parameters() if vars(parameter).get(NO_DECAY)]
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()  # kernels are channels-last, which cannot be cut
    for part in (*model.encoder.parts(), *model.stages, model.fusion, *model.heads):
        fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "forward_with_gates")
    for name in marked:  # the parts are parameters of their own
        vars(model.get_parameter(name))[NO_DECAY] = True


def whole_state(model: PAMM) -> dict[str, Tensor]:
    """The state of a network with whole weights; if it is in parts, all processes must call this."""
    return {
        name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in model.state_dict().items()
    }
