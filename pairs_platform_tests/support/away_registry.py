"""A model registry that is not there."""

from pairs_platform.core.errors import RegistryUnavailable


class AwayRegistry:
    """A registry that never answers."""

    def __getattr__(self, name: str):
        def away(*_: object) -> None:
            raise RegistryUnavailable("the registry does not answer")

        return away
