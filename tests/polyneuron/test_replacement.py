import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models

from polyneuron import (
    PolyNeuron,
    PolyNeuronR,
    PolyNeuronWarning,
    activation_modules,
    penalties,
    replace_activations,
)


def channels(network: nn.Module) -> dict[str, int | tuple[int, ...] | None]:
    return {name: module.channels for name, module in activation_modules(network)}


def test_one_training_step_of_a_resnet_18() -> None:
    """The example of the README."""
    model = replace_activations(models.resnet18(), "polyneuron_r", scope="channel")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images, labels = torch.randn(4, 3, 64, 64), torch.randint(0, 1000, (4,))
    total, product = penalties(model)
    assert total == product == 0
    loss = F.cross_entropy(model(images), labels) + 1e-2 * total
    loss.backward()
    optimizer.step()
    total, product = penalties(model)
    # Adam's first step is 1e-3 a parameter, so the sums of three weights move by at most 3e-3.
    assert 0 < total < 3e-3
    assert 0 < product < 1e-2


def test_each_call_of_a_resnet_18_gets_its_own_functions() -> None:
    model = models.resnet18()
    names = set(model.state_dict())
    returned = replace_activations(model, "polyneuron_r", scope="channel")
    assert returned is model
    assert type(model) is models.ResNet
    assert list(channels(model).values()) == [64] * 5 + [128] * 4 + [256] * 4 + [512] * 4
    assert not any(isinstance(m, nn.ReLU) for m in model.modules())
    added = set(model.state_dict()) - names
    assert names <= set(model.state_dict())
    assert len(added) == 17 * 3


def test_bottlenecks_call_one_relu_at_two_widths() -> None:
    model = replace_activations(models.resnet50(), "swish", scope="channel")
    widths = list(channels(model).values())
    assert len(widths) == 49
    assert widths[:4] == [64, 64, 64, 256]
    assert model.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("build", "calls"),
    [(models.vgg11_bn, 10), (models.densenet121, 121), (models.squeezenet1_0, 26)],
)
def test_other_networks(build: type[nn.Module], calls: int) -> None:
    model = replace_activations(build(), "prelu", scope="channel")
    assert len(channels(model)) == calls
    assert model.eval()(torch.randn(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.parametrize("build", [models.resnet18, models.densenet121])
def test_relu_for_relu_changes_nothing(build: type[nn.Module]) -> None:
    model = build().eval()
    x = torch.randn(2, 3, 64, 64)
    before = model(x)
    replace_activations(model, "relu")
    assert not any(isinstance(m, nn.ReLU) for m in model.modules())
    assert torch.equal(model(x), before)


class Functional(nn.Module):
    """Every way to call ReLU, on 4 channels but for the head's 2."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.act = nn.ReLU()
        self.relu = "taken"
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.convolution(x))
        x = self.act(x - 1) + torch.relu(self.act(x)).relu()
        return F.relu(input=self.head(x.mean((2, 3))))


class TestRewriting:
    def replaced(self) -> Functional:
        return replace_activations(
            Functional(), "swish", scope="channel", example=torch.randn(2, 3, 5, 5)
        )

    def test_functions_and_methods_are_replaced_too(self) -> None:
        assert channels(self.replaced()) == {
            "act": 4,
            "relu_1": 4,
            "act_1": 4,
            "relu_2": 4,
            "relu_3": 4,
            "relu_4": 2,
        }

    def test_the_code_around_the_calls_is_kept(self) -> None:
        network = Functional()
        x = torch.randn(2, 3, 5, 5)
        before = network(x)
        assert replace_activations(network, "relu") is network
        assert torch.equal(network(x), before)

    def test_a_rewritten_network_can_be_copied_saved_and_switched(self) -> None:
        network = self.replaced()
        x = torch.randn(2, 3, 5, 5)
        y = network(x).detach()
        for clone in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert torch.equal(clone(x), y)
            with torch.no_grad():
                clone.get_submodule("act_1").beta.add_(1)
            assert not torch.equal(clone(x), y)
            assert torch.equal(network(x), y)
        assert not network.eval().get_submodule("relu_1").training

    def test_a_rewritten_forward_keeps_what_differs_between_modes(self) -> None:
        class Dropping(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return F.dropout(F.relu(x), training=self.training)

        network, x = replace_activations(Dropping(), "relu"), torch.ones(50)
        assert set(network(x).tolist()) == {0.0, 2.0}
        assert torch.equal(network.eval()(x), x)

    def test_other_calls_in_training_than_in_evaluation_are_refused(self) -> None:
        class Modal(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return F.relu(F.relu(x) - 1) if self.training else F.relu(x)

        with pytest.raises(ValueError, match=r"Modal.forward calls .* other calls in training"):
            replace_activations(Modal(), "swish")

    def test_such_code_is_fine_where_it_need_not_be_rewritten(self) -> None:
        class Dropping(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.act = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                return F.dropout(self.act(x), training=self.training)

        network = replace_activations(Dropping(), "relu").eval()
        assert torch.equal(network(torch.ones(50)), torch.ones(50))


class Joined(nn.Module):
    """Scaled branches, joined along the channels by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(torch.cat(tensors=[2 * self.left(x), self.right(x) + 1], dim=1))


def test_channels_are_read_through_factors_and_joins() -> None:
    assert channels(replace_activations(Joined(), "swish", "channel")) == {"relu": 6}


def test_a_relu_instance_shared_by_blocks_is_replaced_in_each() -> None:
    shared = nn.ReLU()
    blocks = [nn.Sequential(nn.Linear(4, n), shared) for n in (4, 8)]
    network = replace_activations(nn.Sequential(*blocks), "polyneuron", scope="channel")
    assert channels(network) == {"0.1": 4, "1.1": 8}


def test_one_instance_twice_in_a_sequence() -> None:
    shared = nn.ReLU()
    network = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 8), shared)
    network = replace_activations(network, "polyneuron", scope="channel")
    assert sorted(channels(network).values()) == [4, 8]
    assert network(torch.randn(3, 4)).shape == (3, 8)


def test_a_block_that_runs_twice_keeps_its_functions() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return self.block(self.block(x))

    assert channels(replace_activations(Twice(), "swish", "channel")) == {"block.1": 4}


def test_branches_that_only_training_takes_are_found_in_evaluation_too() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            self.extra = nn.Sequential(nn.Linear(4, 2), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            x = self.main(x)
            return (x, self.extra(x)) if self.training else x

    network = replace_activations(Auxiliary().eval(), "swish", "channel")
    assert channels(network) == {"main.1": 4, "extra.1": 2}
    assert not any(module.training for module in network.modules())


def test_one_function_a_neuron_reads_shapes_from_an_example() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5), nn.ReLU()
    )
    example = torch.randn(1, 1, 8, 8)
    assert channels(replace_activations(network, "apl", "neuron", example=example)) == {
        "1": (2, 6, 6),
        "4": (5,),
    }


def test_an_example_leaves_running_statistics_and_modes_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).train()
    network[0].eval()
    before = copy.deepcopy(network.state_dict())
    replace_activations(network, "relu", "channel", example=torch.randn(4, 1, 8, 8))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert [m.training for m in network] == [False, True, True]


def test_dtype_and_options_reach_the_activations() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).double()
    replace_activations(network, "polyneuron", s=5, k=1)
    assert isinstance(network[1], PolyNeuron)
    assert (network[1].s, network[1].k) == (5, 1)
    assert network[1].c_x.dtype == torch.float64


def test_random_starts_differ_and_come_from_the_generator() -> None:
    def starts() -> list[list[float]]:
        network = nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
        generator = torch.Generator().manual_seed(1)
        replace_activations(network, "polyneuron_r", init="random", generator=generator)
        return [m.w.tolist() for m in network if isinstance(m, PolyNeuronR)]

    first = starts()
    assert first[0] != first[1]
    assert first == starts()


def test_a_network_without_values_takes_them_afterwards() -> None:
    with torch.device("meta"):
        inside = replace_activations(models.resnet18(), "polyneuron_r", "channel")
        plain = models.resnet18()
    outside = replace_activations(plain, "polyneuron_r", "channel")
    full = replace_activations(models.resnet18(), "polyneuron_r", "channel").eval()
    x = torch.randn(1, 3, 32, 32)
    for network in (inside, outside):
        assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
        network.load_state_dict(full.state_dict(), assign=True)
        assert torch.equal(network.eval()(x), full(x))


def test_a_lone_relu() -> None:
    assert isinstance(replace_activations(nn.ReLU(), "polyneuron"), PolyNeuron)
    made = replace_activations(nn.ReLU(), "swish", "channel", example=torch.zeros(2, 5, 3))
    assert channels(made) == {"": 5}


class Predicting(nn.Module):
    """A class of a user's own, with state and a method beside `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)
        self.names = ["a", "b", "c"]

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.first(x)))

    def predict(self, x: Tensor) -> list[str]:
        return [self.names[i] for i in self(x).argmax(1).tolist()]


def test_class_methods_attributes_and_hooks_stay() -> None:
    network, x = Predicting(), torch.randn(6, 4)
    seen: list[int] = []
    network.register_forward_hook(lambda *_: seen.append(1))
    before, own = network(x), set(vars(network))
    replace_activations(network, "relu")
    assert isinstance(network, Predicting)
    assert type(network).__qualname__ == "Predicting"
    assert own <= set(vars(network))
    assert torch.equal(network(x), before)
    assert len(seen) == 2
    clones = [copy.deepcopy(network)]
    network._forward_hooks.clear()  # a lambda cannot be pickled
    clones.append(pickle.loads(pickle.dumps(network)))
    for clone in clones:
        assert isinstance(clone, Predicting)
        assert clone.predict(x) == network.predict(x)
        assert clone.names == network.names
        assert torch.equal(clone(x), before)


def test_again_and_again() -> None:
    network, x = Predicting(), torch.randn(6, 4)
    for name in ("swish", "polyneuron", "apl", "swish"):
        replace_activations(network, name, "channel")
        assert list(channels(network).values()) == [4]
    clone = pickle.loads(pickle.dumps(copy.deepcopy(network)))
    torch.testing.assert_close(network(x), network.last(F.silu(network.first(x))))
    assert torch.equal(clone(x), network(x))
    model = models.resnet18().eval()
    images = torch.randn(1, 3, 64, 64)
    before = model(images)
    for name in ("swish", "relu"):
        replace_activations(model, name, "channel")
    assert len(channels(model)) == 17
    assert torch.equal(model(images), before)


def test_hooks_of_a_replaced_module_run_on_its_replacement() -> None:
    network, seen = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), []
    network[1].register_forward_hook(lambda *_: seen.append(1))
    replace_activations(network, "swish")
    network(torch.randn(2, 3))
    assert len(seen) == 1


def test_containers_keep_their_length() -> None:
    shared = nn.ReLU()
    network = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 8), shared)
    replace_activations(network, "polyneuron", scope="channel")
    assert [type(layer).__name__ for layer in network] == ["Linear", "PolyNeuron"] * 2
    assert (network[1].channels, network[3].channels) == (4, 8)

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, n) for n in (4, 4, 4)])
            self.acts = nn.ModuleList([nn.ReLU()])

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = self.acts[0](layer(x))
            return x

    listed, x = Listed(), torch.randn(2, 4)
    before = listed(x)
    replace_activations(listed, "relu")
    assert len(listed.acts) == 1
    assert len(channels(listed)) == 3
    assert torch.equal(listed(x), before)


class Overwriting(nn.Module):
    """Reads tensors after a ReLU has overwritten them: itself, and through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        halves = y.view(-1, 2)
        self.act(y)
        z = self.layer(x)
        F.relu(z[:, :2], inplace=True)
        z[:, 2:].relu_()
        return y + z + 2 * halves.view_as(y)


def test_what_reads_an_overwritten_tensor_reads_the_new_values() -> None:
    network, x = Overwriting(), torch.randn(5, 4)
    before = network(x)
    replace_activations(network, "relu")
    assert torch.equal(network(x), before)
    replace_activations(network, "polyneuron")
    y = network.layer(x)
    torch.testing.assert_close(network(x), 4 * PolyNeuron()(y))
    network(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_in_place_functions_that_nobody_reads_cost_no_copy() -> None:
    model = replace_activations(models.resnet18(), "relu")
    assert not any(type(module).__name__ == "InPlace" for module in model.modules())


@pytest.mark.filterwarnings("error::polyneuron.PolyNeuronWarning")
def test_mobilenet_v3() -> None:
    kinds = ("ReLU", "Hardswish", "Hardsigmoid")
    model = replace_activations(models.mobilenet_v3_small(), "prelu", "channel", of=kinds)
    # 14 ReLU (9 of them in squeeze and excitation), 19 Hardswish and 9 Hardsigmoid.
    assert len(channels(model)) == 42
    assert model.eval()(torch.randn(1, 3, 64, 64)).shape == (1, 1000)


def test_what_is_left_alone_is_said() -> None:
    with pytest.warns(PolyNeuronWarning, match="left as they were: 9 Hardsigmoid, 19 Hardswish$"):
        model = replace_activations(models.mobilenet_v3_small(), "relu", of=["ReLU"])
    assert len(channels(model)) == 14

    class Half(Predicting):
        def features(self, x: Tensor) -> Tensor:
            return F.relu(self.first(x))

    with pytest.warns(PolyNeuronWarning, match=r"calls in Half.features, where forward is not"):
        replace_activations(Half(), "swish")


@pytest.mark.parametrize("activation", ["gelu", nn.GELU(), "relu"])
def test_layers_of_torch_that_hold_an_activation_function(activation: str | nn.Module) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation=activation, batch_first=True)
    network, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(2, 3, 8)
    replace_activations(network, "mish")
    assert len(list(activation_modules(network))) == 2
    training = network(x)
    with torch.no_grad():  # where torch has one operator for a whole layer
        torch.testing.assert_close(network.eval()(x), training)
    with pytest.raises(ValueError, match=r"scope 'channel': the Activation inside layers.0"):
        replace_activations(network, "swish", "channel")


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x) if x.sum() > 0 else x


class TestBadInput:
    def test_no_relu(self) -> None:
        with pytest.raises(ValueError, match="Linear calls no ReLU"):
            replace_activations(nn.Linear(2, 2), "swish")

    def test_unknown_channels(self) -> None:
        network = nn.Sequential(nn.Flatten(), nn.ReLU())
        with pytest.raises(
            ValueError, match="scope 'channel': the input of the ReLU call '_1' has"
        ):
            replace_activations(network, "swish", "channel")

    def test_neurons_without_an_example(self) -> None:
        network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        with pytest.raises(ValueError, match=r"scope 'neuron': .* pass example=, an input of the"):
            replace_activations(network, "swish", "neuron")

    def test_a_network_that_cannot_be_traced(self) -> None:
        with pytest.raises(ValueError, match=r"torch.fx cannot trace Branching \(TraceError: "):
            replace_activations(Branching(), "swish")

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ({"name": "swich"}, "unknown activation 'swich'"),
            ({"name": "swish", "scope": "chan"}, "unknown scope 'chan'"),
            ({"name": "swish", "s": 3}, "unknown option of swish 's'"),
        ],
    )
    def test_names_are_checked_before_anything_is_changed(
        self, call: dict[str, object], message: str
    ) -> None:
        network = nn.Sequential(nn.ReLU())
        with pytest.raises(ValueError, match=message):
            replace_activations(network, **call)
        assert isinstance(network[0], nn.ReLU)

    def test_unknown_channels_change_nothing(self) -> None:
        network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Flatten(), nn.ReLU())
        with pytest.raises(ValueError, match="pass example="):
            replace_activations(network, "swish", "channel")
        assert isinstance(network[1], nn.ReLU)
