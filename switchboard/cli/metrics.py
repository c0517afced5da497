"""`switchboard metrics`: what Prometheus would be told now."""

import typer

from switchboard.cli.output import JsonOption, print_json
from switchboard.cli.running import settings_or_exit


def metrics(as_json: JsonOption = False) -> None:
    """Print the metrics once, in the text format of Prometheus, as /metrics of the console has them."""
    from switchboard.metrics.exposition import Exposition

    exposition = Exposition(settings_or_exit())
    if not as_json:
        typer.echo(exposition.text(), nl=False)
        return
    print_json(
        {
            "metrics": [
                {"name": each.name, "labels": each.labels, "value": each.value}
                for family in exposition.collect()
                for each in family.samples
            ]
        }
    )
