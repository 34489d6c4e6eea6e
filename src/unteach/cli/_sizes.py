"""Show the estimated memory of a run as a table or as JSON."""

from typing import Any

from unteach.escaping import visible
from unteach.sizing.advice import Advice
from unteach.sizing.parts import Parts
from unteach.sizing.size import Size


def show(size: Size, room: float | None, advice: list[Advice]) -> None:
    """Print the estimate to stdout: a table, and below it the peak, notes and advice."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    header, *rows = cells(size)
    table.add_column(header[0], no_wrap=True)
    for name in header[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="bold" if row[0] == "total" else "")
    console = Console(highlight=False)
    console.width = max(console.width, 110)  # so that no number is cut
    console.print(visible(title(size)), soft_wrap=True, markup=False)
    console.print()
    console.print(table)
    console.print()
    for line in sayings(size, room, advice):
        console.print(visible(line), soft_wrap=True, markup=False)


def cells(size: Size) -> list[list[str]]:
    """Return the table: a header, one row for each part, and the total."""
    names: dict[str, None] = {}
    for moment in size.moments:
        names |= {name: None for name, part in moment.parts.items() if part}
    rows = [["GB of one device", *(moment.name for moment in size.moments)]]
    rows += [[name, *(gb(m.parts.get(name, 0)) for m in size.moments)] for name in names]
    return [*rows, ["total", *(gb(moment.total) for moment in size.moments)]]


def title(size: Size) -> str:
    """Return one line on what was estimated: model, method and training settings."""
    setting = size.setting
    trained = f"LoRA of rank {setting.rank}" if setting.lora else "all weights"
    trained += " over 4 bits" if setting.bits else ""
    texts = f"{setting.batch} x {setting.accumulation} forget texts of {setting.length} tokens"
    parts = [
        f"{setting.model}: {size.found.parameters:,} parameters",
        f"{setting.method.name}, {trained}, retain {setting.retain}",
        f"{texts}, {setting.texts} texts in a forward",
        setting.optim + (", checkpointing" if setting.checkpointing else ""),
        "CPU" if setting.cpu else "accelerator",
    ]
    if setting.processes > 1:
        parts.append(f"{setting.processes} processes, {setting.sharding}")
    return "; ".join(parts)


def sayings(size: Size, room: float | None, advice: list[Advice]) -> list[str]:
    """Return the lines below the table: peak, host, disk, and whether the run fits."""
    lines = [f'peak: {gb(size.total)} GB at "{size.peak.name}" (an estimate of tensors alone)']
    if size.peak is not size.training:
        lines.append(f'in training: {gb(size.training.total)} GB at "{size.training.name}"')
    lines += [f"{size.chunk} rows of logits are held at once"]
    lines += [f"{name}: {_listed(parts)}" for name, parts in
              (("host memory of a process", size.host), ("disk", size.disk)) if parts]  # fmt: skip
    lines += [f"note: {note}" for note in size.notes]
    if room is None:
        return lines
    if size.total <= room:
        return [*lines, f"fits {gb(room)} GB, with {gb(room - size.total)} GB to spare"]
    lines.append(f"does not fit {gb(room)} GB: {gb(size.total - room)} GB are missing")
    if not advice:
        return [*lines, "no combination of three known changes makes it fit"]
    return [*lines, "what makes it fit:", *(
        f"  {gb(one.total)} GB with {' and '.join(one.changes)}" for one in advice
    )]  # fmt: skip


def to_json(size: Size, room: float | None, advice: list[Advice]) -> dict[str, Any]:
    """Return the estimate as plain values, in bytes."""
    found: dict[str, Any] = {
        "title": title(size),
        "parameters": size.found.parameters,
        "trained": size.found.moved,
        "chunk_rows": size.chunk,
        "peak": {"moment": size.peak.name, "bytes": round(size.total)},
        "training": {"moment": size.training.name, "bytes": round(size.training.total)},
        "moments": {m.name: _rounded(m.parts) for m in size.moments},
        "host": _rounded(size.host),
        "disk": _rounded(size.disk),
        "notes": size.notes,
    }
    if room is not None:
        found["fits"] = size.total <= room
        found["advice"] = [{"changes": a.changes, "bytes": round(a.total)} for a in advice]
    return found


def gb(size: float) -> str:
    """Return a number of bytes in GB (10^9 bytes), with three digits.

    Example:
        >>> gb(0), gb(3.2e6), gb(28_040_000_000), gb(1.1e12)
        ('', '0.003', '28.0', '1100')
    """
    number = size / 1e9
    if not size:
        return ""
    return f"{number:.{3 if number < 1 else 2 if number < 10 else 1 if number < 100 else 0}f}"


def _rounded(parts: Parts) -> dict[str, int]:
    return {name: round(part) for name, part in parts.items() if part}


def _listed(parts: Parts) -> str:
    return ", ".join(f"{gb(part)} GB {name}" for name, part in parts.items())
