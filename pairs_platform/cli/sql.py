"""`pairs-platform sql`: DuckDB over the lake and the database.

What does not belong here: the connection and its limits (`lake.sql`).
"""

from functools import partial

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.show import print_frame, rows_option
from pairs_platform.settings.model import Settings

DIGITS = 8
"""Of a float, as many as a price has."""


@click.command("sql")
@reading_options
@click.argument("statement")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values instead of a table.")
@rows_option(50)
def command(settings: Settings, statement: str, as_csv: bool, rows: int) -> None:
    """Ask the lake and the database in SQL, read-only.

    STATEMENT runs over the current profile; `show tables` lists what there is. Every table of the lake has columns
    `sector` and `session`. Example:

    \b
    pairs-platform sql "select session, count(*) from garch_fits group by 1"
    """
    import duckdb

    from pairs_platform.database.arrow import arrow_schemas, arrow_tables
    from pairs_platform.database.tables import VIEWS
    from pairs_platform.lake.sql import ExternalTables, query
    from pairs_platform.lake.tables import TABLES
    from pairs_platform.platform import open_database, open_lake

    database = ExternalTables(arrow_schemas(), VIEWS, partial(arrow_tables, open_database(settings)))
    try:
        frame = query(open_lake(settings), TABLES, statement, database)
    except duckdb.Error as error:
        raise click.ClickException(str(error)) from None
    if as_csv:
        say_profile()
        click.echo(frame.to_csv(index=False), nl=False)
        return
    print_frame(frame, None, rows=rows, digits=DIGITS)
