"""Files laid over each other, and the networks they make."""

import inspect
from dataclasses import MISSING, fields

import pytest
import yaml

from pamm.cli import main
from pamm.engine.plain import lay_over
from pamm.engine.recipe import Recipe
from pamm.engine.recipes import cost, describe_changes, read_recipe, recipe_config
from pamm.engine.run_data import input_canvas
from pamm.engine.train import train
from pamm.models import create_model
from pamm.models.info import count_parameters
from toys import MICRO


@pytest.fixture
def write(tmp_path):
    """Writes values to a YAML file and gives its path."""

    def save(name, values):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return save


def test_a_recipe_is_what_train_takes():
    parameters = inspect.signature(train).parameters
    assert [field.name for field in fields(Recipe)] == list(parameters)
    for field in fields(Recipe):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        assert default == parameters[field.name].default


def test_mappings_are_joined_and_all_else_replaced():
    base = {"a": {"b": [1, 2], "c": {"d": 1}}, "e": 1}
    joined = lay_over(base, {"a": {"b": [3], "c": {"f": 2}}, "e": {"g": 1}})
    assert joined == {"a": {"b": [3], "c": {"d": 1, "f": 2}}, "e": {"g": 1}}
    assert base == {"a": {"b": [1, 2], "c": {"d": 1}}, "e": 1}


def test_overlays_win_in_order(write):
    base = write("base", {"model": {"preset": "pamm_small", "overrides": {"d_model": 96}}, "tasks": ["depth"]})
    one = write("one", {"model": {"overrides": {"scan_kind": "z"}}, "optim": {"lr": 0.1}})
    two = write("two", {"model": {"overrides": {"scan_kind": "raster"}}})
    recipe = read_recipe(base, one, two)
    assert recipe.model.preset == "pamm_small"
    assert recipe.model.overrides == {"d_model": 96, "scan_kind": "raster"}
    assert (recipe.optim.lr, recipe.tasks) == (0.1, ("depth",))
    assert describe_changes(base, one) == "scan_kind: z"


def test_numbers_are_read_as_in_training(tmp_path, monkeypatch):
    path = tmp_path / "recipe.yaml"
    path.write_text("optim: {lr: 1e-5, weight_decay: 2E-3}\nloss_weights: {edge: 5e1}")
    seen = {}
    monkeypatch.setattr("pamm.cli.commands.train_command", lambda **settings: seen.update(settings) or 0)
    assert main(["train", "--config", str(path)]) == 0
    recipe = read_recipe(path)
    assert (recipe.optim.lr, recipe.loss_weights) == (1e-5, {"edge": 50})
    assert (recipe.optim, recipe.loss_weights) == (seen["optim"], seen["loss_weights"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: [", "cannot be read"),
        ("- model", "got list, wanted keys"),
        ("modle: {preset: pamm_tiny}", "did you mean 'model'"),
        ("model: {overrides: {tasks: [depth]}}", "cannot hold tasks"),
        ("optim: {steps: many}", "optim: steps: got 'many', wanted a whole number"),
    ],
)
def test_mistakes_name_the_file(text, message, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"recipe\.yaml.*{message}"):
        read_recipe(path)
    with pytest.raises(ValueError, match=r"missing\.yaml: the recipe cannot be read"):
        read_recipe(tmp_path / "missing.yaml")


def test_the_network_is_known_without_data_or_hub(write):
    model = {"preset": "pamm_large", "encoder_weights": "facebook/dinov3-vits16-pretrain-lvd1689m"}
    path = write("base", {"model": model, "data": {"name": "pascal_context"}, "tasks": ["edge", "saliency"]})
    config = recipe_config(read_recipe(path))
    assert (config.encoder, config.encoder_width, config.encoder_registers) == ("dinov3", 384, 4)
    assert [task.name for task in config.tasks] == ["edge", "saliency"]
    assert config.tasks[0].positive_weight == 0.95
    assert config.image_size == (512, 512)


def test_the_input_grows_to_whole_patches(write):
    model = {"preset": "pamm_large", "encoder_weights": "facebook/dinov2-small"}
    recipe = read_recipe(write("base", {"model": model, "data": {"name": "nyud"}}))
    assert recipe_config(recipe).image_size == (448, 588)
    assert input_canvas(recipe.model, recipe.data, offline=True) == (448, 588)


def test_the_network_is_that_of_training(write):
    sizes = {key: value for key, value in MICRO.items() if key != "image_size"}
    data = {"name": "scenes", "height": 32, "width": 48}
    config = recipe_config(read_recipe(write("base", {"model": {"overrides": sizes}, "data": data})))
    assert config.image_size == (32, 48)
    assert [task.name for task in config.tasks][:2] == ["semseg", "depth"]
    found = cost(config)
    assert found.parameters == count_parameters(create_model(config))
    assert found.macs > 0
