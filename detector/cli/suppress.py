"""`detector suppress`: mute a rule, client or network until a date, with a reason and a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from detector.cli.common import Night, print_json
from detector.cli.opening import Call, by_option, over_incidents
from detector.cli.terminal import say

if TYPE_CHECKING:
    from datetime import date

    from detector.incidents.suppressing import Reach


@click.group()
def suppress() -> None:
    """Mute findings until a date; what is muted is kept, and alarms again afterwards."""


@suppress.command()
@click.option("--rule", help="Id of a rule.")
@click.option("--client", help="Id of a client.")
@click.option("--network", metavar="CIDR", help="Network, like 10.1.2.0/24; reaches findings about networks only.")
@click.option("--until", required=True, type=Night(), help="Last UTC day on which it holds.")
@click.option("--reason", required=True, help="Why; the next analyst reads it.")
@by_option
@over_incidents
def add(
    *,
    rule: str | None,
    client: str | None,
    network: str | None,
    until: date,
    reason: str,
    by: str,
    call: Call,
) -> None:
    """Mute what matches every part given: --rule with --client mutes this rule for this client alone.

    Open incidents are reached at once. A client's suppression never mutes a campaign that other accounts take part in.
    """
    from detector.incidents import suppressing

    with call.opened() as store:
        reach = suppressing.add(
            store.connection,
            rule=rule,
            client=client,
            network=network,
            until=until,
            reason=reason,
            by=by,
            settings=store.settings,
            as_of=call.at,
        )
    _tell(reach, f"suppression {reach.suppression.id} holds until {until}", call)


@suppress.command("list")
@click.option("--all", "every", is_flag=True, help="Expired and removed ones too.")
@over_incidents
def list_(*, every: bool, call: Call) -> None:
    """List the suppressions that hold."""
    from detector.incidents.document import suppression_document
    from detector.store.suppressions import suppressions

    with call.opened() as store:
        found = [one for one in suppressions(store.connection) if every or one.holds(call.at)]
    if call.as_json:
        print_json({"suppressions": [suppression_document(one, call.at) for one in found]})
    elif not call.quiet:
        from detector.cli import incident_views

        incident_views.suppressions(found, call.at)


@suppress.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--reason", required=True, help="Why it is taken back.")
@by_option
@over_incidents
def remove(
    number: int,
    *,
    reason: str,
    by: str,
    call: Call,
) -> None:
    """Take a suppression back; what it muted alarms again at once."""
    from detector.incidents import suppressing

    with call.opened() as store:
        reach = suppressing.remove(
            store.connection, number, reason=reason, by=by, settings=store.settings, as_of=call.at
        )
    _tell(reach, f"suppression {number} removed", call)


def _tell(reach: Reach, done: str, call: Call) -> None:
    if call.as_json:
        from detector.incidents.document import incident_document, suppression_document

        print_json(
            {
                "suppression": suppression_document(reach.suppression, call.at),
                "incidents": [incident_document(incident) for incident in reach.incidents],
            }
        )
    elif not call.quiet:
        number = len(reach.incidents)
        say(f"{done}; {'1 incident' if number == 1 else f'{number:,} incidents'} changed")
