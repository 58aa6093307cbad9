from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from polyneuron import PolyNeuron, activation_names, make_activation
from polyneuron.show import curve_and_slope, draw, main, parse_activation


@pytest.mark.parametrize("name", activation_names())
@pytest.mark.usefixtures("float64")
def test_the_slope_is_the_derivative_of_the_curve(name: str) -> None:
    grid = torch.linspace(-2.97, 3.01, 60)  # off the kinks at round numbers
    module = make_activation(name, generator=torch.Generator().manual_seed(0))
    values, slopes = curve_and_slope(module, grid)
    step = 1e-6
    differences = (module.curve(grid + step) - module.curve(grid - step)) / (2 * step)
    torch.testing.assert_close(values, module.curve(grid))
    torch.testing.assert_close(slopes, differences, rtol=1e-6, atol=1e-6)


def test_panels_hold_curves_slopes_and_control_points() -> None:
    module = PolyNeuron(5, channels=2)
    figure = draw({"two functions": module, "none": make_activation("gelu")}, -4, 4)
    first, second = figure.axes
    assert first.get_title() == "two functions"
    lines = {len(line.get_xdata()): line for line in first.lines}
    dots = lines[5]
    assert dots.get_xdata().tolist() == module.c_x.detach()[1].tolist()
    assert dots.get_ydata().tolist() == module.c_y.detach()[1].tolist()
    curves = [line for line in first.lines if len(line.get_xdata()) == 801]
    assert len(curves) == 4
    assert (curves[0].get_xdata().min(), curves[0].get_xdata().max()) == (-4, 4)
    assert not any(len(line.get_xdata()) == 5 for line in second.lines)


def test_options_are_parsed() -> None:
    module = parse_activation("polyneuron:s=5,k=1,init=smooth_relu,half_range=2.5")
    assert isinstance(module, PolyNeuron)
    assert (module.s, module.k) == (5, 1)
    assert module.c_x.detach().max() == 2.5
    assert not parse_activation("swish:learn_beta=false").beta.requires_grad


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_command_writes_a_picture(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"picture.{suffix}"
    main(["polyneuron", "apl:s=2", "--out", str(out), "--low", "-2", "--high", "2"])
    assert capsys.readouterr().out == f"{out}\n"
    if suffix == "png":
        pixels = imread(out)[..., :3]
        assert pixels.shape[0] > 200
        # Blue curve, orange slope, red points on white: many colours, mostly white.
        assert 0.7 < (pixels == 1).all(-1).mean() < 0.99
    else:
        assert "<svg" in out.read_text()[:1000]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swich"], "unknown activation 'swich'"),
        (["apl:z=1"], "unknown option of apl 'z'"),
        (["apl:s"], "expected option=value after apl:, got 's'"),
        (["apl:s=two"], "s must be an integer of at least 1, got 'two'"),
        (["apl", "--out", "picture.txt"], "--out must end in one of .png, .svg, .pdf"),
        (["apl", "--low", "3", "--high", "3"], "--low must be below --high, got 3.0 and 3.0"),
        (["apl", "--out", "/no/such/folder/picture.png"], "No such file or directory"),
    ],
)
def test_bad_input_exits_with_2_and_a_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
