"""Make a night of N queries in the generic log: 64 inputs, 10 probabilities, 2,000 clients of heavy-tailed volume.

Usage: python benchmarks/generate.py OUT.jsonl [--queries N] [--night DATE] [--clients N] [--seed S]
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

# Inputs scatter around ten prototypes and answers follow the prototype, so that ordinary clients look ordinary.
_NIGHT = """
COPY (
  WITH draw AS (
    SELECT i,
           1 + floor({clients} * pow(random(), 3))::INT AS who,
           floor(10 * random())::INT AS class,
           random() AS sure
    FROM range({queries}) AS t(i)
  ), filled AS (
    SELECT i, who, class,
           list_transform(range(64),
             lambda k: round(0.5 + 0.4 * sin(k * (class + 1) * 0.7) + 0.3 * (random() - 0.5), 5)) AS vector,
           list_transform(range(10), lambda k: CASE WHEN k = class THEN 1 + 20 * sure ELSE random() END) AS weight
    FROM draw
  )
  SELECT strftime(make_timestamp(({first} + i * (86400000000 // {queries}))::BIGINT), '%Y-%m-%dT%H:%M:%S.%fZ')
           AS "timestamp",
         md5({seed}::VARCHAR || '{night}' || i::VARCHAR)[:20] AS request_id,
         'client-' || who AS client_id,
         '10.' || (who // 200) || '.' || (who % 200) || '.7' AS source_ip,
         'python-requests/2.32.3' AS user_agent,
         'digits' AS model,
         '2.1.0' AS model_version,
         'predict' AS endpoint,
         200 AS status,
         round(random() * 5, 2) AS latency_ms,
         {{'return_probabilities': true}} AS params,
         vector AS input,
         {{'label': class::VARCHAR,
           'confidence': round(list_max(weight) / list_sum(weight), 5),
           'probabilities': list_transform(weight, lambda w: round(w / list_sum(weight), 5))}} AS output
  FROM filled
) TO '{out}' (FORMAT json)
"""


def generate(out: Path, queries: int, night: date, *, clients: int = 2000, seed: int = 1) -> None:
    """Write the night to `out`."""
    first = int(datetime(night.year, night.month, night.day, tzinfo=UTC).timestamp()) * 1_000_000
    with duckdb.connect() as connection:
        # One thread, or the rows would draw their random numbers in another order each time.
        connection.execute("SET threads=1")
        connection.execute(f"SELECT setseed({seed / 1000})")
        connection.execute(
            _NIGHT.format(
                queries=queries, clients=clients, first=first, seed=seed, night=night, out=str(out).replace("'", "''")
            )
        )


def main() -> None:
    """Read the arguments and write the night."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--night", type=date.fromisoformat, default=date(2026, 11, 10))
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generate(arguments.out, arguments.queries, arguments.night, clients=arguments.clients, seed=arguments.seed)


if __name__ == "__main__":
    main()
