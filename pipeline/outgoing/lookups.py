"""Lookups: a host's addresses by the system's resolver, which may hang."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

#: What asks the system; tests put names that lead nowhere in its place.
getaddrinfo = socket.getaddrinfo
#: How long a lookup may take, with its wait for others, in seconds.
PATIENCE_S = 5.0
#: Each is a thread, and one that hangs keeps its place until the system gives up.
_AT_ONCE = 32

#: What ``getaddrinfo`` gives for one address.
AddressInfo = tuple[int, int, int, str, tuple[object, ...]]


class Lookups:
    """Lookups of one event loop, a few at the same time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def look_up(self, host: str, port: int, family: int) -> list[AddressInfo]:
        """Return a host's addresses; OSError: it has none, or nobody answers in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._free.acquire()
                return await self._ask(host, port, family)
        except TimeoutError:
            message = f"the name server did not answer within {PATIENCE_S:.0f} s"
            raise socket.gaierror(socket.EAI_AGAIN, message) from None

    def _ask(self, host: str, port: int, family: int) -> asyncio.Future[list[AddressInfo]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[AddressInfo]] = loop.create_future()

        def settle(found: list[AddressInfo] | Exception) -> None:
            self._free.release()
            if answer.cancelled():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def work() -> None:
            found = _try(host, port, family)
            # The loop may have ended meanwhile: nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, found)

        # A daemon, and so no pool: a process that ends waits for no name server.
        threading.Thread(target=work, name="lookup", daemon=True).start()
        return answer


def _try(host: str, port: int, family: int) -> list[AddressInfo] | Exception:
    try:
        return [*getaddrinfo(host, port, family, socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        return error if isinstance(error, OSError) else _no_name()


def _no_name() -> OSError:
    # What the system cannot even write down as a question.
    return socket.gaierror(socket.EAI_NONAME, "the name cannot be looked up")
