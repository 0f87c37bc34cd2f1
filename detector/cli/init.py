"""`detector init`: a configuration file to begin with."""

from __future__ import annotations

import json
from pathlib import Path

import click

from detector.cli.common import output_options, print_json, store_options
from detector.cli.terminal import safe, say
from detector.errors import UsageError

# A setting stands behind "#" alone, an explanation behind "# ": removing the single "#" switches a setting on.
TEMPLATE = """\
# Configuration of detector. Everything is optional: each setting below is shown with an example or with its default.
# The environment wins over this file (DETECTOR_DB, DETECTOR_ALERTS__FAIL_ON, ...), the command line over both.
# File names are relative to this file's folder.

# Where everything is stored. SQLite needs no server; PostgreSQL 15 or later can be shared.
#db = "sqlite:///detector.db"

# A folder with the site's own detection rules, beside those that come with the program.
#rules = "rules"

# When a night begins, in UTC.
#night_starts = 00:00:00

# What is known of a model; repeat the section with another name for another model.
#[models.digits]
# What its training data is about: none, personal, biometric or health. Grave data makes incidents graver.
#sensitivity = "health"
# How to draw an input, where inputs are images.
#image_shape = [8, 8]
# Records that the model was trained on, and records that it was not: Parquet with input_vector (or the named fields,
# or text) and label, and record_id if there is one. With them a report can say whether a person leaked or a class; with
# the model's confidence in the true class as a column confidence in both, how much privacy it loses at least.
#training_sample = "train.parquet"
#holdout_sample = "holdout.parquet"
# The model itself; it is described and hashed, never run.
#weights = "model.onnx"
# Records that exist nowhere but in the training data; for an audit, with confidence and included (true or false).
#canaries = "canaries.parquet"
# What the training declared of differential privacy; an audit computes its epsilon and tests it.
#privacy = { noise_multiplier = 1.1, sampling_rate = 0.01, steps = 1000, delta = 1e-5 }

# What is known of a client. A declared workload is named in incidents; it does not hide them.
#[clients."svc-batch"]
#workload = "nightly batch"

# Which part of an address is a network: accounts behind one network are also looked at together.
#[identity]
#network_prefix_v4 = 24
#network_prefix_v6 = 48

# From which severity on a run tells its caller: low, medium, high or critical.
#[alerts]
#fail_on = "medium"

# How many nights raw queries are kept. Evidence of an incident stays.
#[retention]
#query_nights = 30

# The alarm budget: false incidents of medium severity or higher, per model and 30 nights; and the share of a file's
# records that may be unreadable before the run says that the file is damaged.
#[thresholds]
#false_incidents_per_30_nights = 1.0
#max_rejects = 0.01

# Who signs evidence bundles: a private key that `detector keys new` made. Without one they are written unsigned.
#[custody]
#key = "keys/detector-signing.key"
# Who tells when a bundle was written: an RFC 3161 time-stamp authority, which is sent the SHA-256 of each bundle. The
# only address that this program ever connects to besides the database; needs the extra `timestamp`. And the roots, in
# PEM, that the authority's certificate must lead to.
#timestamp_url = "https://timestamp.example/tsr"
#timestamp_roots = "keys/timestamp-roots.pem"
"""


@click.command()
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@store_options
@output_options
@click.option("--as-of", expose_value=False, hidden=True, help="Accepted by every command; this one has no clock.")
def init(*, force: bool, db: str | None, config_file: Path | None, as_json: bool, quiet: bool) -> None:
    """Write a detector.toml in which every setting is explained and none is switched on but --db, where it is given.

    --config names the file to write.
    """
    file = config_file or Path("detector.toml")
    text = TEMPLATE
    if db is not None:
        text = text.replace('#db = "sqlite:///detector.db"', f"db = {json.dumps(db, ensure_ascii=False)}")
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except FileExistsError as error:
        raise UsageError("the file is there already", file=file, expected="--force to replace it") from error
    except OSError as error:
        raise UsageError(f"the file cannot be written: {error.strerror}", file=file) from error
    if as_json:
        print_json({"config": str(file)})
    elif not quiet:
        say(f"wrote {safe(str(file), 4096)}")
