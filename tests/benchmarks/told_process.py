"""Optuna's Gaussian process, told how uncertain each value is: what `known_noise.py` measures.

A trial's value is a mean over seeds, and its standard error is known. Optuna's own process
estimates one noise for all trials from their values. What is needed of `optuna._gp` stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch
from optuna import Study
from optuna._gp.acqf import LogEI, qLogEI
from optuna._gp.gp import GPRegressor, fit_kernel_params
from optuna._gp.prior import DEFAULT_MINIMUM_NOISE_VAR, default_log_prior
from optuna._gp.search_space import SearchSpace
from optuna._gp.thread_limiting import limit_threads_in_optimization
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.samplers._gp.sampler import _get_params
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

STANDARD_ERROR, SEEDS = "objective_standard_error", "seeds"
"""Attributes of a trial: of its value, and how many runs that is the mean of."""
SEEDS_OF_ITS_OWN = 5
"""With so many seeds a trial's own scatter begins to count, beside that of all trials."""
POOLED_DEGREES = 4.0
"""Degrees of freedom with which the scatter of all trials counts against a trial's own."""
QMC_SAMPLES = 128
MOST_QMC_SEED = 1 << 30

Floats = npt.NDArray[np.float64]


class ToldGPSampler(GPSampler):
    """Optuna's `GPSampler`, which takes no more for noise than the seeds of the trials show.

    It draws as Optuna's own where the noise is not known, where Optuna's estimate is the smaller
    one, and with several objectives.
    """

    def __init__(self, *, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self._start: Floats | None = None

    def _sample_relative_impl(
        self,
        study: Study,
        completed_trials: list[FrozenTrial],
        running_trials: list[FrozenTrial],
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        noise = noise_variances(completed_trials)
        drawn = None
        if noise is not None and len(study.directions) == 1:
            drawn = self._draw(study, completed_trials, running_trials, search_space, noise)
        if drawn is not None:
            return drawn
        return super()._sample_relative_impl(study, completed_trials, running_trials, search_space)

    def _draw(
        self,
        study: Study,
        completed: list[FrozenTrial],
        running: list[FrozenTrial],
        search_space: dict[str, BaseDistribution],
        noise: Floats,
    ) -> dict[str, Any] | None:
        space = SearchSpace(search_space)
        points = space.get_normalized_params(completed)
        sign = 1.0 if study.directions[0] == StudyDirection.MAXIMIZE else -1.0
        values = sign * np.array([trial.value for trial in completed], dtype=float)
        deviation = max(float(np.std(values)), 1e-10)
        scores = (values - values.mean()) / deviation
        told = np.maximum(noise / deviation**2, DEFAULT_MINIMUM_NOISE_VAR)
        if self._estimate(points, scores, space.is_categorical) <= told.mean():
            return None
        process = self._fitted(points, scores, space.is_categorical, told)
        if process is None:
            return None
        # The best mean of many is partly lucky: the process says how good it is.
        expected = process.posterior(torch.from_numpy(points))[0].numpy()
        best = int(np.argmax(expected))
        acquisition: LogEI | qLogEI = LogEI(process, space, threshold=float(expected[best]))
        if running:
            acquisition = qLogEI(
                process,
                space,
                threshold=float(expected[best]),
                n_qmc_samples=QMC_SAMPLES,
                qmc_seed=int(self._rng.rng.randint(MOST_QMC_SEED)),
                normalized_params_of_running_trials=_points_of(space, running),
            )
        drawn = self._optimize_acqf(acquisition, points[best, np.newaxis])
        return space.get_unnormalized_param(drawn)

    def _estimate(
        self, points: Floats, scores: Floats, categorical: npt.NDArray[np.bool_]
    ) -> float:
        """Return the noise that Optuna's own process would take the values to have."""
        process = fit_kernel_params(
            points,
            scores,
            categorical,
            log_prior=default_log_prior,
            minimum_noise=DEFAULT_MINIMUM_NOISE_VAR,
            deterministic_objective=False,
        )
        return float(process.noise_var)

    def _fitted(
        self, points: Floats, scores: Floats, categorical: npt.NDArray[np.bool_], told: Floats
    ) -> GPRegressor | None:
        """Fit the kernel to values whose noise is told; None where no start leads to a fit."""
        fresh = np.zeros(points.shape[1] + 1)
        starts = [fresh]
        if self._start is not None and len(self._start) == len(fresh):
            starts.insert(0, self._start)
        for start in starts:
            process = GPRegressor(
                torch.from_numpy(categorical),
                torch.from_numpy(points),
                torch.from_numpy(scores),
                torch.ones(points.shape[1], dtype=torch.float64),
                torch.ones((), dtype=torch.float64),
                torch.from_numpy(told),
            )
            try:
                self._start = _fit(process, start)
                process._cache_matrix()
            except RuntimeError:  # a kernel matrix that is no longer positive, or no optimum
                continue
            return process
        return None


def noise_variances(trials: Sequence[FrozenTrial]) -> Floats | None:
    """Return the variance of each trial's value about its true mean; None where it is not known.

    Few seeds tell little of how one trial scatters, so the variance between seeds is pooled over
    the trials. From SEEDS_OF_ITS_OWN seeds on it moves towards the trial's own, by degrees of
    freedom (Smyth, 2004, Eq. 3 with POOLED_DEGREES for d0).
    """
    seeds = np.array([trial.user_attrs.get(SEEDS) or 0 for trial in trials], dtype=float)
    errors = np.array([trial.user_attrs.get(STANDARD_ERROR) or np.nan for trial in trials])
    degrees = np.where(np.isfinite(errors) & (seeds > 1), seeds - 1, 0.0)
    if seeds.min(initial=np.inf) < 1 or not degrees.any():
        return None
    own = np.where(degrees > 0, errors**2 * seeds, 0.0)
    pooled = float((degrees * own).sum() / degrees.sum())
    counted = np.where(seeds >= SEEDS_OF_ITS_OWN, degrees, 0.0)
    between = (POOLED_DEGREES * pooled + counted * own) / (POOLED_DEGREES + counted)
    return np.asarray(between / seeds, dtype=float)


def _fit(process: GPRegressor, start: Floats) -> Floats:
    """Set the kernel's parameters to the most probable ones; return their logarithms.

    Raises:
        RuntimeError: there is no optimum.
    """

    def loss(raw: Floats) -> tuple[float, Floats]:
        logs = torch.from_numpy(raw).requires_grad_(True)
        with torch.enable_grad():
            process.inverse_squared_lengthscales = torch.exp(logs[:-1])
            process.kernel_scale = torch.exp(logs[-1])
            value = -process.marginal_log_likelihood() - _log_prior(process)
            value.backward()
        assert logs.grad is not None
        return value.item(), logs.grad.numpy()

    with limit_threads_in_optimization():
        found = scipy.optimize.minimize(
            loss, start, jac=True, method="l-bfgs-b", options={"gtol": 1e-2}
        )
    if not found.success:
        raise RuntimeError(found.message)
    logs = torch.from_numpy(found.x)
    process.inverse_squared_lengthscales = torch.exp(logs[:-1])
    process.kernel_scale = torch.exp(logs[-1])
    return np.asarray(found.x, dtype=float)


def _log_prior(process: GPRegressor) -> torch.Tensor:
    """Return Optuna's log prior of the kernel, without its part on the noise."""
    inverse = process.inverse_squared_lengthscales
    scale = process.kernel_scale
    return -(0.1 / inverse + 0.1 * inverse).sum() + torch.log(scale) - scale


def _points_of(space: SearchSpace, running: list[FrozenTrial]) -> Floats:
    """Return where the running trials are; a trial that is being drawn knows it from Optuna."""
    return space.get_normalized_params(running, [_get_params(trial) for trial in running])
