"""The token that the local host shows its own storage, which looks at its presence only."""

import time
from types import TracebackType
from typing import Self

from azure.core.credentials import AccessToken

_LIFETIME_SECONDS = 24 * 3600


class FixedToken:
    """An async token credential that always has a token."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """A token for whatever is asked."""
        return AccessToken("local", int(time.time()) + _LIFETIME_SECONDS)

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
