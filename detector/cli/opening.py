"""What commands over incidents share: their options, one transaction on the store of earlier runs, who decides."""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import click

from detector.cli.common import as_of_option, now, open_site, output_options, store_options
from detector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from detector.config import Settings


@dataclass(frozen=True)
class Opened:
    """An open transaction on the store and the settings that led there."""

    connection: Connection
    settings: Settings


@dataclass(frozen=True)
class Call:
    """What the options that all of these commands take say.

    Attributes:
        db, config_file: where the store is.
        as_json: whether to print one JSON document.
        quiet: whether to print nothing.
        at: the present.
    """

    db: str | None
    config_file: Path | None
    as_json: bool
    quiet: bool
    at: datetime

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """Yield the store of earlier runs in one transaction.

        Raises:
            UsageError: there is no database yet.
            ConfigError: the configuration cannot be read.
            StoreError: the database cannot be reached.
        """
        site = open_site(self.db, self.config_file, create=False)
        try:
            with site.store.begin() as connection:
                yield Opened(connection, site.settings)
        finally:
            site.store.close()


def over_incidents(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options over the store; the function gets what they say as `call`."""

    @wraps(function)
    def command(
        *, db: str | None, config_file: Path | None, as_json: bool, quiet: bool, as_of: datetime | None, **rest: object
    ) -> None:
        function(call=Call(db, config_file, as_json, quiet, now(as_of)), **rest)

    return store_options(output_options(as_of_option(command)))


by_option = click.option(
    "--by", metavar="NAME", callback=lambda *given: _person(given[-1]), help="Your name; the system's unless given."
)


def _person(by: str | None) -> str:
    """Return the name given on the command line, or the operating system's name of the user.

    Raises:
        UsageError: there is neither.
    """
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("the system does not tell who you are", expected="--by NAME") from error
