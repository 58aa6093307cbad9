import copy
from pathlib import Path

import pytest
import yaml

from sweeps.spec.errors import SpecError
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import bundled_names, load_spec, parse_spec

SOUND = {
    "name": "trial-run",
    "network": "lenet5",
    "data": {"name": "digits"},
    "recipe": {"epochs": 2},
    "activation": "polyneuron_r",
    "space": {
        "s": {"choice": [3, 5]},
        "k": 3,
        "lambda_sum": {"log": [1e-4, 1e-1]},
        "learning_rate": {"uniform": [1e-4, 1e-2]},
    },
    "seeds": 2,
    "search": {"algorithm": "tpe", "trials": 4},
}


def changed(path: str, value: object) -> dict:
    raw = copy.deepcopy(SOUND)
    *sections, key = path.split("/")
    section = raw
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = value
    return raw


def test_every_bundled_question_is_there() -> None:
    assert set(bundled_names()) == {
        "ablation_lambda_prod",
        "ablation_lambda_sum",
        "ablation_sk",
        "even_order_resnet20",
        "init_stability",
        "lower_rate_lenet5",
        "lr_sensitivity",
        "no_penalty_lenet5",
        "quickstart",
        "relaxed_sk",
        "scope_lenet5",
        "search_lenet5",
        "table1_lenet5",
        "table1_resnet20",
        "table1_resnet20_literal",
        "timing_lenet5",
    }


@pytest.mark.parametrize("name", bundled_names())
def test_a_resolved_specification_reads_back_unchanged(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name
    again = parse_spec(spec.model_dump(mode="json"))
    assert again == spec
    assert again.sha256 == spec.sha256


def test_shorthands_stand_for_what_they_say() -> None:
    spec = parse_spec(SOUND)
    assert spec.network.name == "lenet5"
    assert spec.activation.name == "polyneuron_r"
    assert spec.seeds == (0, 1)
    assert spec.space["k"].kind == "fixed"
    assert spec.space["k"].values == (3,)


def test_a_list_of_activations_is_a_parameter_of_the_space() -> None:
    names = ["relu", "polyneuron_r"]
    spec = parse_spec({**SOUND, "activation": names})
    assert (spec.space["activation"].kind, spec.activation_names()) == ("choice", tuple(names))
    grid = parse_spec({"name": "g", "activation": names, "search": "grid"})
    assert grid.space["activation"].kind == "grid"
    with pytest.raises(SpecError, match="activation: a list here and one in the space"):
        parse_spec({**SOUND, "activation": names, "space": {"activation": "relu"}})


def test_words_stand_for_sections() -> None:
    raw = {**SOUND, "early_stopping": "asha", "objective": "best_val_error_percent"}
    spec = parse_spec(raw)
    assert spec.early_stopping.rule == "asha"
    assert spec.objective.metric == "best_val_error_percent"
    assert parse_spec(with_settings(raw, ["early_stopping.reduction=4"])).early_stopping == (
        spec.early_stopping.model_copy(update={"reduction": 4})
    )


def test_a_budget_may_name_the_trials() -> None:
    spec = parse_spec({**SOUND, "search": "random", "budget": {"trials": 7, "wall_hours": 2}})
    assert spec.search.trials == 7
    assert spec.budget.wall_hours == 2


def test_a_confirmatory_sweep_stops_nothing_early() -> None:
    raw = {"name": "c", "purpose": "confirmatory", "search": "grid"}
    assert parse_spec(raw).early_stopping.rule == "none"
    with pytest.raises(SpecError, match="confirmatory trains every trial to its last epoch"):
        parse_spec({**raw, "early_stopping": "asha"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"search": "random", "budget": {"trials": 3}}, "timing needs search: grid"),
        ({"early_stopping": "asha"}, "timing trains every trial to its last epoch"),
        ({"seeds": 4}, "timing repeats each trial at least 5 times, with a seed each; got 4"),
        ({"recipe": {"epochs": 1}}, "leaves the first epoch out as a warm-up"),
        ({"concurrency": 2}, "timing trains one trial at a time"),
        ({"objective": {"plus_standard_errors": 1}}, "takes at least two seeds a trial"),
    ],
)
def test_a_timing_sweep_is_a_grid_of_repetitions_one_at_a_time(changed: dict, message: str) -> None:
    raw = {"name": "t", "purpose": "timing", "search": "grid", "recipe": {"epochs": 2}}
    spec = parse_spec(raw)
    assert (len(spec.seeds), spec.seeds_each, spec.most_at_once) == (5, 1, 1)
    with pytest.raises(SpecError, match=message):
        parse_spec({**raw, **changed})


@pytest.mark.parametrize(
    "search", ["grid", {"algorithm": "grid"}, {"algorithm": "grid", "seed": 1}]
)
def test_a_list_of_activations_is_walked_by_a_search_that_walks_a_grid(search: object) -> None:
    raw = {"name": "both", "activation": ["relu", "swish"], "search": search}
    assert parse_spec(raw).space["activation"].kind == "grid"
    tried = {**raw, "search": {"algorithm": "tpe", "trials": 2}}
    assert parse_spec(tried).space["activation"].kind == "choice"


def test_a_standard_error_takes_two_seeds() -> None:
    raw = {**SOUND, "objective": {"plus_standard_errors": 1}}
    assert parse_spec(raw).objective.plus_standard_errors == 1
    with pytest.raises(SpecError, match="a standard error takes at least two seeds"):
        parse_spec({**raw, "seeds": 1})


def test_nsga2_leaves_early_stopping_out() -> None:
    raw = {**SOUND, "search": {"algorithm": "nsga2", "trials": 4}}
    assert parse_spec(raw).search.algorithm == "nsga2"
    with pytest.raises(SpecError, match="nsga2 weighs error against time"):
        parse_spec({**raw, "early_stopping": "median"})


def test_a_network_is_weighed_by_what_its_runs_have() -> None:
    """And with objectives of its own nsga2 takes an early stopping, which goes by the first."""
    also = {"parameters": "min", "epoch_seconds": "min"}
    raw = {**SOUND, "search": {"algorithm": "nsga2", "trials": 4}, "objective": {"also": also}}
    spec = parse_spec({**raw, "early_stopping": "median"})
    assert [(one.name, one.largest) for one in spec.also] == [
        ("parameters", False),
        ("epoch_seconds", False),
    ]
    with pytest.raises(SpecError, match=r"objective.also.size: of a network, expected epoch_sec"):
        parse_spec({**raw, "objective": {"also": {"size": "min"}}})


def test_five_seeds_are_the_default() -> None:
    raw = {key: value for key, value in SOUND.items() if key != "seeds"}
    assert parse_spec(raw).seeds == (0, 1, 2, 3, 4)


def test_the_recipe_starts_from_the_papers_for_the_network() -> None:
    raw = {"name": "r", "network": "resnet20", "data": "cifar10", "search": "grid"}
    assert parse_spec(raw).recipe.epochs == 500
    assert parse_spec(raw).recipe.drop_at == (0.5,)
    assert parse_spec({**raw, "recipe": {"epochs": 2}}).recipe.drop_at == (0.5,)
    assert parse_spec({**raw, "network": "lenet5"}).recipe.epochs == 30


REFUSED = {
    "unknown key": ("nam", "x", "nam: unknown key; did you mean name"),
    "unknown key in a section": ("recipe/epoch", 3, "recipe.epoch: unknown key; did you mean epo"),
    "wrong type": ("recipe/epochs", "3", r"recipe.epochs: expected an integer; got '3'"),
    "true is no number": ("recipe/epochs", True, "recipe.epochs: expected an integer; got True"),
    "no such network": ("network", "lenet", "network.name: expected 'lenet5' or 'resnet20'"),
    "no such data": ("data/name", "svhn", "data.name: expected 'mnist', 'cifar10' or 'digits'"),
    "empty range": ("space/s", {"int": [9, 3]}, r"space.s: the range \[9, 3\] is empty"),
    "range of one value": ("space/s", {"int": [3, 3]}, r"space.s: the range \[3, 3\] is empty"),
    "log from 0": ("space/lambda_sum", {"log": [0, 1]}, "space.lambda_sum: a log range starts"),
    "floats for int": ("space/s", {"int": [3.5, 9]}, "space.s: int takes two integers"),
    "three ends": ("space/s", {"int": [3, 5, 9]}, "space.s: int takes two integers"),
    "empty choice": ("space/s", {"choice": []}, "space.s: choice has no values"),
    "number twice": (
        "space/lambda_sum",
        {"grid": [1, 0.1, 1.0]},
        "space.lambda_sum: grid lists a value twice",
    ),
    "value twice": ("space/s", {"choice": [3, 3]}, "space.s: choice lists a value twice"),
    "unknown kind": ("space/s", {"range": [3, 5]}, "space.s: expected a value or one of uniform"),
    "no domain": ("space/s", None, "space.s: expected a value or one of uniform"),
    "nested value": ("space/s", {"choice": [[3]]}, "space.s: expected a value or one of uniform"),
    "no seeds": ("seeds", 0, "seeds: a trial needs at least one seed; got 0"),
    "seed twice": ("seeds", [1, 1], "seeds: a seed is listed twice"),
    "seed of 64 bits": (
        "seeds",
        [3_000_000_000],
        "seeds.0: expected less than or equal to 21474836",
    ),
    "too many seeds": ("seeds", 100_000, "seeds: at most 10,000 a trial"),
    "too long a list of seeds": ("seeds", list(range(10_001)), "seeds: .*at most 10000 items"),
    "search seed of 33 bits": (
        "search/seed",
        2**32,
        "search.seed: expected less than or equal to 4294967295",
    ),
    "no trials": ("search", "tpe", "search: trials is missing"),
    "no such search": (
        "search/algorithm",
        "tep",
        "search.algorithm: no search algorithm .*mean tpe",
    ),
    "grid of ranges": ("search", "grid", "a grid search needs grid"),
    "grid with trials": ("search", {"algorithm": "grid", "trials": 3}, "runs its whole grid"),
    "confirmatory search": ("purpose", "confirmatory", "confirmatory needs search: grid"),
    "bad name": ("name", "a/b", "name: expected up to 64 letters"),
    "negative epochs": ("recipe/epochs", -1, "recipe: epochs: expected at least 1; got -1"),
    "infinite rate": ("recipe/learning_rate", float("inf"), "learning_rate: expected a finite"),
    "two answers to trials": ("budget", {"trials": 3}, "budget.trials: search.trials says it"),
    "no budget at all": ("budget/gpu_hours", 0, "budget.gpu_hours: expected greater than 0"),
    "unknown budget": ("budget/hours", 3, "budget.hours: unknown key; did you mean wall_hours"),
    "a section's key outside it": (
        "epochs",
        3,
        r"^epochs: unknown key; did you mean recipe.epochs",
    ),
    "trials outside": ("trials", 5, r"^trials: unknown key; did you mean search.trials\?$"),
    "a short word outside": ("lr", 1e-3, "lr: unknown key; did you mean recipe.learning_rate"),
    "a short word": ("recipe/lr", 1e-3, "recipe.lr: unknown key; did you mean learning_rate"),
    "list without a kind": ("space/s", [3, 5], r"write \{choice: \[3, 5\]\}$"),
    "condition": (
        "space/s",
        {"choice": [3], "when": "x"},
        "a condition is `when: ",
    ),
    "reduction of one": ("early_stopping", {"reduction": 1}, "reduction: expected greater than o"),
    "seeds that are too few for their test": (
        *("early_stopping", "wilcoxon"),
        "early_stopping.rule: wilcoxon compares seeds and needs at least 5; got",
    ),
    "unknown rule": ("early_stopping", "hope", "early_stopping.rule: expected 'none', 'asha'"),
    "unknown metric": ("objective", "accuracy", "objective.metric: expected last_val_error"),
    "one GPU and a half": ("resources/gpus", 1.5, "gpus: a fraction of one, or whole GPUs"),
    "no cpus": ("resources/cpus", 0, "resources.cpus: expected greater than 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_with_its_value_and_the_mend(case: str) -> None:
    path, value, message = REFUSED[case]
    with pytest.raises(SpecError, match=message) as caught:
        parse_spec(changed(path, value))
    assert len(str(caught.value).splitlines()) <= 2


def test_all_faults_of_a_file_are_named_the_typos_first() -> None:
    raw = {"name": "x", "sapce": {}, "recipe": {"epochs": "3"}, "search": "tpe"}
    with pytest.raises(SpecError) as caught:
        parse_spec(raw)
    typo, *others = str(caught.value).splitlines()
    assert typo == "sapce: unknown key; did you mean space?"
    assert [line.partition(":")[0] for line in others] == ["recipe.epochs", "search"]


@pytest.mark.parametrize("source", ["nothere.yaml", "somewhere/nothere"])
def test_a_missing_file_is_said_to_be_missing(source: str) -> None:
    with pytest.raises(SpecError, match=f"^no such file: {source}$"):
        load_spec(source)


def test_a_missing_file_is_named_with_what_is_bundled() -> None:
    with pytest.raises(SpecError, match="no specification 'quickstrat': did you mean quickstart"):
        load_spec("quickstrat")


def test_numbers_like_1e_4_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("search: grid\nrecipe: {learning_rate: 1e-4}\n")
    spec = load_spec(str(file))
    assert spec.recipe.learning_rate == 1e-4
    assert spec.name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search: grid\nsearch: tpe\n", "the key 'search' is given twice"),
        ("search: [grid\n", "is not YAML"),
        ("- a\n- b\n", "expected keys and values"),
        ("", "expected keys and values"),
    ],
)
def test_a_file_that_is_no_specification_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SpecError, match=message):
        load_spec(str(file))


def test_settings_override_a_section_or_one_field() -> None:
    raw = with_settings(SOUND, ["recipe.epochs=7", "data=mnist", "space.apl.s=5", "seeds=[3, 4]"])
    assert raw["recipe"] == {"epochs": 7}
    assert raw["space"]["apl.s"] == 5
    assert parse_spec({**raw, "space": SOUND["space"]}).seeds == (3, 4)
    assert SOUND["recipe"] == {"epochs": 2}


def test_a_setting_goes_into_a_section_given_by_its_name() -> None:
    raw = with_settings(SOUND, ["network.pooling=average"])
    assert parse_spec(raw).network.pooling == "average"


def test_a_domain_is_set_by_its_kind() -> None:
    raw = with_settings(SOUND, ["space.s.grid=[3, 5]", "space.apl.s.int=[2, 6]", " seeds = 3"])
    assert raw["space"]["s"] == {"grid": [3, 5]}
    assert raw["space"]["apl.s"] == {"int": [2, 6]}
    assert raw["seeds"] == 3


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("recipe.learning_rate=1e-3", "learning_rate"),
        ("activation.options.s=5", "s"),
        ("activation=relu", "activation"),
        ("activation.scope=channel", "scope"),
    ],
)
def test_a_setting_of_what_the_space_varies_is_refused(setting: str, key: str) -> None:
    space = {**SOUND["space"], "activation": "swish", "scope": {"choice": ["layer", "channel"]}}
    with pytest.raises(SpecError, match=rf"no effect.*set space\.{key} instead"):
        with_settings({**SOUND, "space": space}, [setting])


@pytest.mark.parametrize("setting", ["recipe.epochs", "=3", "seeds.x=3", "name=[", "a.b.c=1"])
def test_a_malformed_setting_is_refused(setting: str) -> None:
    with pytest.raises(SpecError):
        parse_spec(with_settings(SOUND, [setting]))


def test_a_specification_written_as_yaml_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(SOUND), "utf-8")
    assert load_spec(str(file)) == parse_spec(SOUND)


def test_every_malformed_shorthand_is_reported_in_one_go_after_the_typos() -> None:
    raw = {
        "name": "x",
        "sapce": {},
        "activation": ["relu", "swish"],
        "seeds": 0,
        "search": {"algorithm": "random", "trials": 3},
        "budget": {"trials": 4},
        "space": {"activation": "relu", "s": [3, 5], "k": {"chioce": [1]}, "learning_rate": 0.1},
    }
    with pytest.raises(SpecError) as caught:
        parse_spec(raw)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "sapce",
        "activation",
        "budget.trials",
        "seeds",
        "space.s",
        "space.k",
    ]
