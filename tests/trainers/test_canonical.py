"""Equal identities train bit-equally; what cannot matter is no part of an identity."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recorded_run import recorded

from analysis.store import identity1
from polyneuron import activation_class, activation_names, activation_options
from trainers import canonical
from trainers.config import ActivationConfig, Configuration, Execution, RunConfig
from trainers.data.config import DataConfig
from trainers.networks import NETWORKS
from trainers.networks.config import NetworkConfig


def configured(*, name="polyneuron_r", scope="layer", options=None, network=None, **settings):
    """A training of 3 epochs on 64 digits; a setting is of the section that has its name."""
    base = Configuration(
        activation=ActivationConfig(name, scope, options or {}),
        network=NetworkConfig(**(network or {})),
    )
    chosen = {"epochs": 3, "batch_size": 32, "train_images": 64, **settings}
    sections = {}
    for section in ("data", "recipe"):
        own = getattr(base, section)
        fields = {field.name for field in dataclasses.fields(own)} - {"name"}
        changes = {key: value for key, value in chosen.items() if key in fields}
        digits = {"name": "digits"} if section == "data" else {}
        sections[section] = dataclasses.replace(own, **changes, **digits)
    return dataclasses.replace(base, **sections)


ALIKE = {
    "defaults left out": ({}, {"options": {"s": 3, "k": 3, "init": "relu_like"}}),
    "1 and 1.0": (
        {"options": {"half_range": 1}, "lambda_sum": 1},
        {"options": {"half_range": 1.0}, "lambda_sum": 1.0},
    ),
    "0 and -0.0": ({"lambda_sum": 0.0}, {"lambda_sum": -0.0}),
    "penalties of nothing": (
        {"name": "relu", "lambda_sum": 0.01},
        {"name": "relu", "lambda_sum": 0.1, "lambda_prod": 1.0},
    ),
    "penalties of the exact spline": (
        {"name": "polyneuron", "lambda_sum": 0.01},
        {"name": "polyneuron", "lambda_sum": 0.5, "lambda_prod": 0.1},
    ),
    "scope of a fixed function": (
        {"name": "relu"},
        {"name": "relu", "scope": "channel", "activation_learning_rate": 0.1},
    ),
    "rate of a Swish that is not learned": (
        {"name": "swish", "options": {"learn_beta": False}},
        {"name": "swish", "options": {"learn_beta": False}, "activation_learning_rate": 0.1},
    ),
    "the network's rate": ({}, {"activation_learning_rate": 1e-3}),
    "kind of no decay": (
        {"weight_decay": 0.0},
        {"weight_decay": 0.0, "decay": "decoupled", "decay_on": "weights"},
    ),
    "order of no padding": ({"pad": 0}, {"pad": 0, "pad_before_normalising": False}),
    "order of no padding, by image": (
        {"pad": 0, "normalise": "image"},
        {"pad": 0, "normalise": "image", "pad_before_normalising": False},
    ),
    "factor of no drop": ({"drop_at": ()}, {"drop_at": (), "drop_factor": 0.5}),
    "a drop at the end": ({"drop_at": (0.4,)}, {"drop_at": (0.4, 0.99)}),
    "drops at the same epochs": ({"drop_at": (0.3, 0.7)}, {"drop_at": (0.65, 0.35)}),
    "held-out images of none": ({}, {"held_out_images": 100}),
    "momentum of Adam": ({}, {"momentum": 0.5, "nesterov": True}),
    "settings of Adam in SGD": (
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "betas": (0.5, 0.9), "epsilon": 1e-3, "decay": "decoupled"},
    ),
    "AdamW by either name": ({"optimizer": "adamw"}, {"decay": "decoupled"}),
    "drops of a cosine": (
        {"schedule": "cosine"},
        {"schedule": "cosine", "drop_at": (0.5,), "drop_factor": 0.5},
    ),
    "the other network's settings": ({}, {"network": {"residual": "act_then_add"}}),
}


@pytest.mark.parametrize("case", ALIKE)
def test_configurations_of_one_identity_train_bit_equally(case, tmp_path):
    one, other = (configured(**settings) for settings in ALIKE[case])
    assert repr(one) != repr(other)
    assert one.config_id == other.config_id
    assert trained(one, tmp_path / "one") == trained(other, tmp_path / "other")


def trained(configuration, folder):
    """All records of a training, clocks set to 0, and the bits of its last network."""
    execution = Execution(threads=1, checkpoint_folder=folder)
    _, records = recorded(RunConfig.of(configuration, 0, execution))
    return repr(records), network_bits(folder)


def network_bits(folder: Path):
    from recorded_run import final_network

    return {name: value.numpy().tobytes() for name, value in final_network(folder).items()}


DIFFERENT = {
    "s": ({}, {"options": {"s": 5}}),
    "a penalty of PolyNeuron-R": ({}, {"lambda_sum": 0.1}),
    "scope of a learned function": ({}, {"scope": "channel"}),
    "scope of a Swish that is not learned, whose functions are counted": (
        {"name": "swish", "options": {"learn_beta": False}},
        {"name": "swish", "options": {"learn_beta": False}, "scope": "channel"},
    ),
    "rate of a learned function": ({}, {"activation_learning_rate": 1e-4}),
    "decay": ({}, {"decay": "decoupled"}),
    "what is decayed": ({}, {"decay_on": "weights"}),
    "padding before normalising": ({}, {"pad_before_normalising": False}),
    "drops": ({}, {"drop_at": (1 / 3,)}),
    "a drop twice": ({"drop_at": (0.5,)}, {"drop_at": (0.5, 0.5)}),
    "drop_factor": ({}, {"drop_factor": 0.5}),
    "held-out images": (
        {"validation": "held_out", "held_out_images": 100},
        {"validation": "held_out", "held_out_images": 200},
    ),
    "the network's own settings": ({}, {"network": {"pooling": "average"}}),
    "optimizer": ({}, {"optimizer": "sgd"}),
    "momentum of SGD": ({"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.5}),
    "Nesterov's momentum": ({"optimizer": "sgd"}, {"optimizer": "sgd", "nesterov": True}),
    "schedule": ({}, {"schedule": "cosine"}),
    "warm-up": ({}, {"warmup_epochs": 1}),
    "label smoothing": ({}, {"label_smoothing": 0.1}),
    "clipping": ({}, {"clip_gradient": 1.0}),
    "a learned Swish": ({"name": "swish"}, {"name": "swish", "options": {"learn_beta": False}}),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_changes_a_training_changes_its_identity(case):
    one, other = (configured(**settings) for settings in DIFFERENT[case])
    assert one.config_id != other.config_id


def test_a_resnet_has_no_settings_of_lenet():
    def of(**settings):
        return Configuration(network=NetworkConfig("resnet20", **settings)).config_id

    assert of() == of(pooling="average", pad_first_convolution=False)
    assert of() != of(residual="act_then_add")
    assert of() == of(shortcut="pad") != of(shortcut="projection")


def test_a_network_of_ones_own_is_its_function_its_options_and_its_code():
    def of(**settings):
        return Configuration(network=NetworkConfig("own:net", **settings)).config_id

    assert of() == of(pooling="average", residual="pre_act")
    assert len({of(), of(options={"width": 8}), of(code="1234"), of(replace=("ReLU",))}) == 4


def test_where_a_folder_of_images_lies_is_no_part_of_what_is_trained():
    def of(folder):
        return Configuration(data=DataConfig("folder:images", folder=folder)).config_id

    assert of("/here/images") == of("/there/images")


def test_each_network_names_fields_of_the_section():
    fields = {field.name for field in dataclasses.fields(NetworkConfig)}
    for network in NETWORKS.values():
        assert set(network.settings) <= fields - {"name", "weight_init"}


def test_a_setting_that_is_as_before_changes_no_identity(monkeypatch):
    """As if `drop_last` and APL's `b_std` had been added after the version began."""
    before = {"recipe.drop_last": False, "activation.apl.b_std": 0.5}
    monkeypatch.setattr(canonical, "AS_BEFORE", before)
    form = configured(name="apl").canonical()
    assert "drop_last" not in form["recipe"]
    assert "b_std" not in form["activation"]["options"]
    form = configured(name="apl", options={"b_std": 1.0}, drop_last=True).canonical()
    assert form["recipe"]["drop_last"] is True
    assert form["activation"]["options"]["b_std"] == 1


def test_an_identity_draws_nothing_from_the_global_stream():
    canonical._is_trained.cache_clear()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Configuration(activation=ActivationConfig("apl", options={"s": 7})).canonical()
    assert torch.equal(torch.get_rng_state(), before)


def test_an_option_that_is_refused_has_an_identity_all_the_same():
    """A trial whose network cannot be built is recorded, as an error."""
    refused = ActivationConfig("polyneuron_r", options={"s": 1})
    assert len(Configuration(activation=refused).config_id) == 16


def test_the_form_is_what_json_has():
    form = configured(options={"s": 5}).canonical()
    assert json.loads(json.dumps(form)) == form


NUMBERS = st.sampled_from([0.0, 0, -0.0, 1, 1.0, 0.1, 1e-3, 2.5])
POSITIVE = st.sampled_from([1, 1.0, 0.1, 1e-3, 2.5])
FRACTIONS = st.lists(st.sampled_from([0.01, 0.3, 1 / 3, 0.5, 2 / 3, 5 / 6, 0.99]), max_size=3)


@st.composite
def configurations(draw):
    name = draw(st.sampled_from(activation_names()))
    known = {n: v for n, v in activation_options(name).items() if v is not None}
    options = {n: v for n, v in known.items() if draw(st.booleans())}
    if name == "swish":
        options["learn_beta"] = draw(st.booleans())
    if activation_class(name).splines:
        options["s"] = draw(st.sampled_from([3, 5.0]))
    return configured(
        name=name,
        options=options,
        scope=draw(st.sampled_from(["layer", "channel"])),
        network={
            "name": draw(st.sampled_from(["lenet5", "resnet20"])),
            "pooling": draw(st.sampled_from(["max", "average"])),
            "residual": draw(st.sampled_from(["add_then_act", "act_then_add"])),
        },
        epochs=draw(st.sampled_from([1, 3, 30])),
        validation=draw(st.sampled_from(["test", "held_out"])),
        drop_at=tuple(draw(FRACTIONS)),
        drop_factor=draw(POSITIVE),
        weight_decay=draw(NUMBERS),
        decay=draw(st.sampled_from(["coupled", "decoupled"])),
        pad=draw(st.sampled_from([0, 4])),
        pad_before_normalising=draw(st.booleans()),
        activation_learning_rate=draw(st.none() | POSITIVE),
        lambda_sum=draw(NUMBERS),
        lambda_prod=draw(NUMBERS),
    )


@given(configurations())
def test_a_store_of_version_1_is_read_with_the_identities_of_today(configuration):
    """The frozen tables say what version 1 wrote: every section, the options as they were given."""
    sections = configuration.sections()
    plain = {name: dataclasses.asdict(one) for name, one in sections.items()}
    # Settings that came later were not there to be written. Here they have their defaults.
    for path in canonical.AS_BEFORE:
        section, _, field = path.partition(".")
        plain[section].pop(field, None)
    del plain["data"]["folder"]  # it is in no form
    config_id, form = identity1.current(json.dumps(plain))
    assert (config_id, json.loads(form)) == (configuration.config_id, configuration.canonical())
