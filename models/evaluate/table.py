"""The numbers on screen, and as Markdown for the model card."""

from __future__ import annotations

from rich.table import Table

from mobind_live.models.evaluate.methods import Metrics


def render(title: str, own: Metrics, peers: dict[str, Metrics]) -> Table:
    """One row for each metric, one column for each method; where there is little room, long names of
    methods are broken, and no figure is."""
    table = Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for name, metrics in {"mobind-live": own, **peers}.items():
        widest = max((len(_of(metrics, metric)) for metric in own), default=0)
        table.add_column(name, justify="right", min_width=widest, overflow="fold")
    for metric, value in own.items():
        table.add_row(metric, figure(metric, value), *(_of(peer, metric) for peer in peers.values()))
    return table


def figure(metric: str, value: float) -> str:
    """A number as people read it: seconds in milliseconds' places, shares with three decimals."""
    if "count_" in metric:
        return f"{value:.0f}"
    if metric.endswith("bias_s"):
        return f"{value:+.4f}"
    return f"{value:.4f}" if metric.endswith("_s") else f"{value:.3f}"


def _of(peer: Metrics, metric: str) -> str:
    return figure(metric, peer[metric]) if metric in peer else ""


def markdown(title: str, own: Metrics, peers: dict[str, Metrics]) -> str:
    """The same table in Markdown."""
    head = ["metric", "mobind-live", *peers]
    lines = [f"### {title}", "", f"| {' | '.join(head)} |", f"| --- {'| ---: ' * (len(head) - 1)}|"]
    for metric, value in own.items():
        cells = [f"`{metric}`", figure(metric, value), *(_of(peer, metric) for peer in peers.values())]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
