"""The functions that a run learned, one panel a layer, from its start to its last epoch."""

import matplotlib.pyplot as plt

import analysis

results = analysis.load("results")
learned = results.runs[results.runs["activation"] == "polyneuron_r"].iloc[0]
functions = results.functions.query("run_id == @learned.run_id and sweep == @learned.sweep")

layers = list(functions["layer"].unique())
figure, panels = plt.subplots(1, len(layers), figsize=(3 * len(layers), 3), squeeze=False)
for layer, axes in zip(layers, panels[0], strict=True):
    rows = functions[functions["layer"] == layer].sort_values("epoch")
    for row in rows.itertuples():
        age = row.epoch / max(1, rows["epoch"].max())
        axes.plot(row.curve_x, row.curve_y, color=plt.cm.viridis(age))
    axes.set(title=layer, xlabel="Input")
panels[0][0].set_ylabel("Output")
figure.tight_layout()
figure.savefig("learned_functions.png", dpi=150)
