"""Alpaca's two keys: what they are, and that both are there.

What does not belong here: where they come from (`settings`), and the variables' names (`settings` of this folder).
"""

from pydantic import SecretStr

from pairs_platform.adapters.alpaca.settings import KEY_VARIABLES
from pairs_platform.core.errors import ConfigurationError

Keys = tuple[SecretStr | None, SecretStr | None]
"""Key id and secret key."""


def present_keys(keys: Keys) -> tuple[str, str]:
    """Key id and secret key in the clear.

    Raises
    ------
    ConfigurationError
        One is missing.
    """
    key_id, secret_key = keys
    if not (key_id and secret_key and key_id.get_secret_value() and secret_key.get_secret_value()):
        raise ConfigurationError(f"Alpaca needs two keys: set the variables {' and '.join(KEY_VARIABLES)}")
    return key_id.get_secret_value(), secret_key.get_secret_value()
