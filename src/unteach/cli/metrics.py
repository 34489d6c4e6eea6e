"""`unteach metrics`: list the metrics of an evaluation, and what each of them means."""

from typing import Annotated, Any

from unteach.cli._options import argument, option


def metrics(
    name: Annotated[str | None, argument("Show this metric alone, in full.", "[NAME]")] = None,
    json: Annotated[bool, option("Print a JSON list.", flags="--json")] = False,
) -> None:
    """List the metrics with what each says, or print what one should be and how it is defined.

    Metrics of one model come first, then comparisons with the retrained or the original model.

    Examples:
      $ unteach metrics
      $ unteach metrics extraction_strength
    """
    from unteach.cli._listed import Entry, listed
    from unteach.metrics import COMPARISONS, METRICS
    from unteach.metrics._described import described as facts

    def described(metric: Any) -> Entry:
        found = facts(metric)
        page = [f"{heading}: {text}" for heading, text in found.items()]
        fields = {heading.replace(" ", "_"): text for heading, text in found.items()}
        data = {"name": metric.name, "help": metric.help, **fields}
        return Entry(f"{metric.name}: {metric.help}", [], page, data)

    listed("metrics", [METRICS, COMPARISONS], described, name, json=json)
