"""Make the table of sessions behind `core.prices.calendar`: day, open and close of every XNYS session, in UTC.

Run: ``python -m benchmarks.make_calendar_table`` (seconds; needs the extra `test`; writes the CSV into the package).
"""

import argparse
from pathlib import Path

import exchange_calendars

from pairs_platform.core.prices import calendar


def rows() -> list[str]:
    """The lines of the table, header first, as the installed `exchange_calendars` knows the sessions."""
    first, last = str(calendar.CALENDAR_START), str(calendar.CALENDAR_END)
    xnys = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    lines = [
        f"{day:%Y-%m-%d},{opens:%Y-%m-%dT%H:%M},{closes:%Y-%m-%dT%H:%M}"
        for day, opens, closes in zip(xnys.sessions, xnys.opens, xnys.closes, strict=True)
    ]
    return ["session,open_utc,close_utc", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(calendar.__file__).with_name(calendar.TABLE_NAME))
    options = parser.parse_args()
    table = rows()
    options.output.write_text("\n".join(table) + "\n", encoding="utf-8")
    print(f"{len(table) - 1} sessions, {table[1]} to {table[-1]}")


if __name__ == "__main__":
    main()
