"""Write reports from scores: JSON, Markdown, HTML, tables and figures; imports no torch."""

from unteach.metrics.difference import alike, difference
from unteach.report.files import from_json, to_json
from unteach.report.fold import FOLDED, fold
from unteach.report.gates import Gate, outcome_of
from unteach.report.gatewords import gate_rows, gate_sentence
from unteach.report.labels import apart
from unteach.report.markdown import to_markdown
from unteach.report.page import to_html
from unteach.report.picture import draw
from unteach.report.protocol import protocol
from unteach.report.record import Report
from unteach.report.table import table
from unteach.report.wrong import what_is_wrong

__all__ = [
    "FOLDED",
    "Gate",
    "Report",
    "alike",
    "apart",
    "difference",
    "draw",
    "fold",
    "from_json",
    "gate_rows",
    "gate_sentence",
    "outcome_of",
    "protocol",
    "table",
    "to_html",
    "to_json",
    "to_markdown",
    "what_is_wrong",
]
