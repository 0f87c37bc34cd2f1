"""The only owner of SQL: tables, migrations, bulk lanes, named queries."""
