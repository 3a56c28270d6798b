"""What a file of scores says about its network."""

import pytest

from pamm.engine.data_config import DataConfig
from pamm.engine.results.run_facts import encoder_name, run_facts
from pamm.models import PAMMConfig, create_model
from pamm.models.hub_encoders import HUB_ENCODERS
from toys import MICRO

SIDE = (224, 224)


@pytest.mark.parametrize(
    ("hub_name", "name"),
    [
        ("google/vit-base-patch16-384", "ViT-B"),
        ("facebook/dinov2-base", "DINOv2-B"),
        ("facebook/dinov2-with-registers-base", "DINOv2-B reg"),
        ("facebook/dinov3-vits16-pretrain-lvd1689m", "DINOv3-S"),
        ("facebook/dinov3-vits16plus-pretrain-lvd1689m", "DINOv3-S+"),
        ("facebook/dinov3-vitl16-pretrain-lvd1689m", "DINOv3-L"),
    ],
)
def test_encoders_have_their_usual_names(hub_name, name):
    assert encoder_name(PAMMConfig(image_size=SIDE, **HUB_ENCODERS[hub_name])) == name


def test_no_two_forms_share_a_name():
    forms = {
        name: {key: value for key, value in form.items() if key != "position_grid"}
        for name, form in HUB_ENCODERS.items()
    }
    names = {encoder_name(PAMMConfig(image_size=SIDE, **form)) for form in HUB_ENCODERS.values()}
    assert len(names) == len({str(form) for form in forms.values()})


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        ("pamm-tiny-scenes", "pamm-tiny-scenes"),
        ("someone/pamm", "someone/pamm"),
        ("runs/nyud_paper/best", "nyud_paper/best"),
        ("/home/me/runs/nyud_paper/best/", "nyud_paper/best"),
    ],
)
def test_long_paths_are_short_names(weights, name):
    facts = run_facts(create_model("pamm_tiny", **MICRO), DataConfig(), weights=weights)
    assert (facts.name, facts.weights) == (name, weights)
