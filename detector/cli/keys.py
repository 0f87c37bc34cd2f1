"""`detector keys`: the keys that sign evidence bundles."""

from __future__ import annotations

from pathlib import Path

import click

from detector.cli.common import output_options, print_json
from detector.cli.terminal import safe, say


@click.group()
def keys() -> None:
    """Make keys that sign evidence bundles."""


@keys.command("new")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=".", show_default=True,
              help="Folder of the two files.")  # fmt: skip
@output_options
def new(out: Path, *, as_json: bool, quiet: bool) -> None:
    """Make an Ed25519 key pair: detector-signing.key, which its owner alone can read, and detector-signing.pub.

    Name the first under [custody] key in detector.toml, and give the second to whoever checks bundles, by another way
    than the bundles. A key that is there is never replaced.
    """
    from detector.custody.keys import new_pair

    made = new_pair(out)
    if as_json:
        print_json({"key_id": made.id, "private": made.private.as_posix(), "public": made.public.as_posix()})
    elif not quiet:
        say(f"private key  {safe(str(made.private), 4096)} (keep it secret)")
        say(f"public key   {safe(str(made.public), 4096)}")
        say(f"key id       {made.id}")
