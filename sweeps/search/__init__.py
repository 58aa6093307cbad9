"""Searches: Optuna's samplers and study, early stopping, and which trial comes next."""
