"""Alpaca as a source of live bars, or a server that speaks like it: its stream, and its history for what was missed.

What does not belong here: the protocol of the stream (`stream`), requests for history (`history`).
"""

from collections.abc import Callable

from pairs_platform.adapters.alpaca.history import AlpacaMarketData
from pairs_platform.adapters.alpaca.keys import Keys
from pairs_platform.adapters.alpaca.settings import AlpacaSettings
from pairs_platform.adapters.alpaca.socket import keys_of_the_moment
from pairs_platform.adapters.alpaca.stream import AlpacaLiveBars
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.ports.live_bars import Receive

_HISTORY_ATTEMPTS = 2
"""A back-fill that fails is tried again as a whole, a minute later."""


class AlpacaLive:
    """Opens connections to Alpaca's stream and history.

    Parameters
    ----------
    keys : callable
        The keys of the moment; may raise `SettingsError` while a file of keys is being replaced.
    frequency : Frequency
        Of the bars that are streamed.
    settings : AlpacaSettings
    stream_url, history_url : str or None
        Addresses instead of Alpaca's own.
    """

    def __init__(
        self,
        keys: Callable[[], Keys],
        *,
        frequency: Frequency,
        settings: AlpacaSettings,
        stream_url: str | None = None,
        history_url: str | None = None,
    ) -> None:
        self.frequency = frequency
        self._keys, self._feed = keys, settings.feed
        self._history_settings = settings.model_copy(update={"max_attempts": _HISTORY_ATTEMPTS})
        self._stream_url, self._history_url = stream_url, history_url

    def connect(self, receive: Receive) -> AlpacaLiveBars:
        """See `LiveSource`."""
        key_id, secret_key = keys_of_the_moment(self._keys)
        return AlpacaLiveBars(key_id, secret_key, feed=self._feed, url=self._stream_url, receive=receive)

    def history(self) -> AlpacaMarketData:
        """See `LiveSource`."""
        key_id, secret_key = self._keys()
        return AlpacaMarketData(
            key_id=key_id,
            secret_key=secret_key,
            frequency=self.frequency,
            settings=self._history_settings,
            base_url=self._history_url,
        )
