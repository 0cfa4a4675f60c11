"""Options that have another name now: an earlier name is refused in one line that gives the new one.

What does not belong here: settings of the configuration that were renamed (`settings`).
"""

import click

RENAMED_OPTIONS = {
    ("live", "--buckets"): "--bars",
    ("signals", "--feed"): "--run-mode",
    ("audit", "--limit"): "--rows",
}
"""New name of an option by command and earlier name."""


def with_new_name(error: click.NoSuchOption) -> click.UsageError:
    """The error to show for an option that does not exist: `error`, or one line that gives the option's new name."""
    command = error.ctx.info_name if error.ctx else None
    new = RENAMED_OPTIONS.get((command or "", error.option_name))
    return click.UsageError(f"{command}: {error.option_name} is named {new} now") if new else error
