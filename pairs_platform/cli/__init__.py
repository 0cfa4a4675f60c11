"""The command `pairs-platform`: one file per noun. Nothing is computed here; commands call the layers below."""

import errno
import io
import sys

try:
    import click

    from pairs_platform import __version__
    from pairs_platform.cli.commands import LazyCommands
    from pairs_platform.cli.interrupts import EXIT_CODE, end_interrupted, watched
except KeyboardInterrupt:  # the first tenth of a second of a command
    sys.stderr.write("stopped\n")
    sys.exit(130)

_MENDED_BY_A_PERSON = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.ENOTDIR),
}
"""Errors of a file system that are shown as one message: rights, space, and names."""

PROFILE_OPTION = click.option(
    "--profile", metavar="NAME", help="Profile by its name, which stands for source, files and frequency."
)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@PROFILE_OPTION
def cli(profile: str | None) -> None:
    """Statistical-arbitrage pairs trading as a graph of Dagster assets.

    Every command works on one profile: --profile stands before or after its name.
    """


def main() -> None:
    """Entry point of the console script: expected errors become one message and exit code 1, Ctrl-C one and 130."""
    with watched():
        try:
            _main()
        except KeyboardInterrupt:  # while something is imported
            end_interrupted()


def _main() -> None:
    from pairs_platform.core.errors import PlatformError
    from pairs_platform.core.masking import masked
    from pairs_platform.settings.output import colors, end_output, mask_output, show_any_text

    mask_output()
    show_any_text()
    try:
        # Without standalone mode click returns the code of an `Exit` instead of ending the process with it.
        sys.exit(cli(standalone_mode=False, color=colors()))
    except KeyboardInterrupt:
        end_interrupted()
    except click.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):
            end_interrupted()
        sys.exit(EXIT_CODE)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(masked(shown.getvalue()), err=True, nl=False)
        sys.exit(error.exit_code)
    except PlatformError as error:
        click.secho(f"Error: {with_remedy(error)}", err=True, fg="red", color=colors())
        sys.exit(1)
    except OSError as error:
        if error.errno not in _MENDED_BY_A_PERSON:
            raise
        click.secho(f"Error: {masked(with_remedy(error))}", err=True, fg="red", color=colors())
        sys.exit(1)
    finally:
        end_output()


def with_remedy(error: BaseException) -> str:
    """See `views.remedies`, which is imported for an error alone: it needs the settings, and ``--help`` does not."""
    from pairs_platform.views import remedies

    return remedies.with_remedy(error)
