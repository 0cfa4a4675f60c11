"""Options that had another name before: the old name is refused in one line that says the new one.

What does not belong here: settings of the configuration that were renamed (`settings`).
"""

import click

RENAMED_OPTIONS = {("live", "--buckets"): "--bars", ("signals", "--feed"): "--run-mode"}
"""New name of an option by command and old name."""


def with_new_name(error: click.NoSuchOption) -> click.UsageError:
    """The error to show for an option that does not exist: itself, or the one line that names the new option."""
    command = error.ctx.info_name if error.ctx else None
    new = RENAMED_OPTIONS.get((command or "", error.option_name))
    return click.UsageError(f"{command}: {error.option_name} is named {new} now") if new else error
