import optuna
import pytest

from sweeps.search.sampling import draw_parameters, make_sampler
from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.search_space import configure

ALL = ["relu", "swish", "apl", "polyneuron", "polyneuron_r"]


@pytest.mark.parametrize("algorithm", ["tpe", "gp", "cmaes", "qmc", "random"])
def test_every_search_draws_inside_the_space(algorithm: str) -> None:
    spec = parse_spec(
        {
            "name": "x",
            "space": {
                "activation": {"choice": ALL},
                "s": {"choice": [3, 5, 9]},
                "k": {"int": [1, 5]},
                "lambda_sum": {"log": [1e-4, 1e-1]},
                "learning_rate": {"uniform": [1e-4, 1e-2]},
            },
            "search": {"algorithm": algorithm, "trials": 15},
        }
    )
    study = optuna.create_study(sampler=make_sampler(spec))
    seen = set()
    for number in range(15):
        trial = study.ask()
        params = draw_parameters(spec, trial)
        seen.add(params["activation"])
        spline = params["activation"] in ("polyneuron", "polyneuron_r")
        assert ("s" in params) == ("k" in params) == spline
        assert ("lambda_sum" in params) == (params["activation"] == "polyneuron_r")
        assert 1e-4 <= params["learning_rate"] <= 1e-2
        if spline:
            assert params["s"] in (3, 5, 9)
            assert params["k"] in range(1, 6)
        configure(spec, params)
        study.tell(trial, float(number))
    assert len(seen) > 1


def test_a_search_of_one_seed_draws_the_same_points() -> None:
    spec = load_spec("quickstart")

    def points() -> list[dict]:
        study = optuna.create_study(sampler=make_sampler(spec))
        drawn = []
        for number in range(12):
            trial = study.ask()
            drawn.append(draw_parameters(spec, trial))
            study.tell(trial, float(number % 5))
        return drawn

    assert points() == points()
