"""Bringing a database to the schema that this version works on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

    from detector.store.engine import Store

HEAD = "0001"


def migrations_folder() -> Path:
    """Return the folder of the migrations: inside an installed package, or the checkout's own."""
    package = Path(__file__).resolve().parent.parent
    bundled = package / "_bundled" / "migrations"
    return bundled if bundled.is_dir() else package.parent / "migrations"


def revision(store: Store) -> str | None:
    """Return the schema revision that the database is at, None for an empty one."""
    with store.begin() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(store: Store) -> bool:
    """Bring the database to this version's schema; return whether anything had to be done.

    Raises:
        StoreError: the database was made by a newer version, or a migration failed.
    """
    at = revision(store)
    if at == HEAD:
        return False
    config = _config(store)
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        raise StoreError(
            f"the database is at schema {at}, which this version does not know", expected=f"at most {HEAD}"
        )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        command.upgrade(config, "head")
    except (CommandError, SQLAlchemyError) as error:
        raise StoreError(f"the database could not be brought to schema {HEAD}: {error}") from error
    return True


def _config(store: Store) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["engine"] = store.engine
    return config
