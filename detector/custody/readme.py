"""What stands in the README.txt of every bundle."""

README = """\
EVIDENCE BUNDLE

One incident, as the report told it and as the data that the report rests on.

  MANIFEST.json            what this file holds: SHA-256 and size of every member in order, the log files that the
                           evidence comes from with theirs, baseline, and who signed. Canonical JSON (RFC 8785).
  MANIFEST.sig             Ed25519 signature of the bytes of MANIFEST.json, 64 bytes. Missing where the site has no
                           key: then the bundle shows whether it is whole, but not who wrote it.
  report.html              the report
  incident.json            the incident: findings with the values that triggered them, members, events
  evidence/*.json          the checklist of evidence, an item a file; reconstructions are in reconstruction.json.
                           "row" in them is the column held_row of queries/queries
  queries/queries          every query behind the incident with file and line of origin and the answer, as Parquet and
                           CSV; lists of probabilities are in Parquet alone; phase and held_row are empty for queries
                           beyond those that the evidence was computed from
  queries/lines            the raw lines kept with the incident and their SHA-256 (of the line without its line feed)
  queries/inputs.parquet   what was sent; "query" is the row of queries/queries, counted from 0
  figures/*.json           the figures of the report as numbers
  configuration.json       the settings in effect, without secrets
  versions.json            the software
  rules/*.yml              the rules that fired

The CSV files can be opened in a spreadsheet: read them as UTF-8 with the comma as separator. A text that a spreadsheet
could take for a formula has an apostrophe in front; characters that steer or hide text are spelled like U+001B between
angle brackets. Nothing is lost by that, and the Parquet files hold the texts as they were.

To check this file:      detector verify THIS.zip --key PUBLIC.pub
Without that program:    compare the SHA-256 of each member with MANIFEST.json, then
                         openssl pkeyutl -verify -pubin -inkey PUBLIC.pub -rawin -in MANIFEST.json -sigfile MANIFEST.sig
Where THIS.zip.tsr lies beside it, an RFC 3161 authority has told when this file was there:
                         openssl ts -verify -data THIS.zip -in THIS.zip.tsr -CAfile ROOTS.pem

Reconstructions and inputs can be personal data: keep this file as you would keep the training data.
"""
