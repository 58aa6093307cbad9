"""Learning curves of all runs below `results`, one colour an activation."""

import matplotlib.pyplot as plt

import analysis

results = analysis.load("results")
runs = results.runs[["sweep", "run_id", "activation"]]
history = results.epochs.merge(runs, on=["sweep", "run_id"])

figure, axes = plt.subplots(figsize=(6, 4))
for number, (activation, rows) in enumerate(history.groupby("activation", observed=True)):
    for _, run in rows.groupby(["sweep", "run_id"], observed=True):
        axes.plot(run["epoch"], run["val_error_percent"], color=f"C{number}", alpha=0.7)
    axes.plot([], [], color=f"C{number}", label=activation)
axes.set(xlabel="Epoch", ylabel="Validation error (%)", yscale="log")
axes.legend()
figure.savefig("learning_curves.png", dpi=150)
