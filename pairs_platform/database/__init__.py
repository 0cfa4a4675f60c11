"""The SQL store: tables, migrations and queries of model performance, rankings, trends and decisions."""
