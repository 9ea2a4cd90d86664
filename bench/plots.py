"""Plots as SVG and PNG, where matplotlib is installed (``pip install 'saltext-deploy[bench]'``); without it, none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def bars(name: Path, values: Mapping[str, Mapping[str, float]], unit: str, title: str) -> None:
    """Groups of bars on a logarithmic scale: one group for each key of ``values``.

    Args:
        name: of the files, without a suffix.
        values: group to bars.
        unit: of the axis.
        title: of the plot.
    """
    canvas = _canvas()
    if canvas is None or not values:
        return
    figure, axes = canvas
    kinds = list(dict.fromkeys(kind for group in values.values() for kind in group))
    height = 0.8 / len(kinds)
    for index, kind in enumerate(kinds):
        places = [row + index * height for row in range(len(values))]
        axes.barh(places, [group.get(kind, 0) for group in values.values()], height, label=kind)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(values))], list(values))
    axes.invert_yaxis()
    axes.set_xscale("log")
    _save(figure, axes, name, unit, title)


def lines(
    name: Path,
    values: Mapping[str, Sequence[tuple[float, float]]],
    labels: tuple[str, str],
    title: str,
    *,
    logarithmic: bool = True,
) -> None:
    """A line for each key of ``values``.

    Args:
        name: of the files, without a suffix.
        values: line to its points.
        labels: of the two axes.
        title: of the plot.
        logarithmic: both axes.
    """
    canvas = _canvas()
    if canvas is None or not values:
        return
    figure, axes = canvas
    for line, points in values.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=line)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_ylabel(labels[1])
    _save(figure, axes, name, labels[0], title)


def _canvas() -> tuple[Any, Any] | None:
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(9, 5.5), layout="constrained")


def _save(figure: Any, axes: Any, name: Path, unit: str, title: str) -> None:
    from matplotlib import pyplot

    axes.set_xlabel(unit)
    axes.set_title(title)
    axes.grid(alpha=0.3, which="both", axis="x")
    axes.legend()
    for suffix in ("svg", "png"):
        figure.savefig(name.with_name(f"{name.name}.{suffix}"))
    pyplot.close(figure)
