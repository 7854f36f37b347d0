"""What a shop says when it is up."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoints.contexts import WEB
from entrypoints.local.broker import Broker
from entrypoints.local.nginx import GATEWAY
from entrypoints.settings import Settings

_ORDER = """\
  curl -X POST "{order}/order?product_id=1&quantity=1" \\
      -H "Authorization: Bearer $({ecshop} token staff --data-dir {data})"
"""
_FIRST_ORDER = """\
  T=$({ecshop} token staff --data-dir {data})
  P=$(curl -s {product}/products -H "Authorization: Bearer $T" -H 'Content-Type: application/json' \\
      -d '{{"name": "Green tea", "price": 1200}}' | sed 's/{{"id":\\([0-9]*\\).*/\\1/')
  curl -s {stock}/stock -H "Authorization: Bearer $T" -H 'Content-Type: application/json' \\
      -d "{{\\"product_id\\": $P, \\"stock\\": 5}}"; echo
  curl -s -X POST "{order}/order?product_id=$P&quantity=5" -H "Authorization: Bearer $T"; echo
"""
_STAFF = """\
The console, at /console, is for staff. Make yourself an account; the password is read from the terminal:
  {ecshop} user add NAME --role admin --data-dir {data}"""
_LINK = """\
This opens the console, once, within 15 minutes:
  {link}
Another one later:
  {ecshop} user link --at {front} --data-dir {data}"""


_FRONT = {WEB.name: "/", GATEWAY: "/"}
"""Where people look at a service; else it is its documentation."""


def one_process(address: str, settings: Settings, link: str = "", *, is_filled: bool = False) -> str:
    """With the `link` that signs an operator in, where there is one; a shop that `is_filled` has goods to order."""
    return "\n".join(
        [
            "The shop is open. Ctrl-C closes it.",
            f"  Shop      {address}/",
            f"  Console   {address}/console",
            *([f"  API docs  {address}/docs"] if settings.has_docs else []),
            f"  Health    {address}/health/ready",
            f"  Data      {settings.folder}",
            "  Bus       in this process",
            "",
            _staff(settings, link),
            "",
            "Place an order:",
            _order(settings, dict.fromkeys(("product", "stock", "order"), address), is_filled=is_filled),
        ]
    )


def split(
    addresses: Mapping[str, str], broker: Broker, settings: Settings, link: str = "", *, is_filled: bool = False
) -> str:
    return "\n".join(
        [
            "The shop is open, each context as a service of its own. Ctrl-C closes it.",
            *(
                f"  {name:<8}  {address}{_FRONT.get(name, '/docs')}  {address}/health/ready"
                for name, address in addresses.items()
            ),
            f"  {broker.name:<8}  {broker.shown}",
            f"  {'data':<8}  {settings.folder}",
            "",
            _staff(settings, link),
            "",
            "Place an order:",
            _order(settings, addresses, is_filled=is_filled),
        ]
    )


def _staff(settings: Settings, link: str) -> str:
    front, _, _ = link.partition("/shop/")
    return (_LINK if link else _STAFF).format(link=link, front=front, ecshop=_command(), data=_folder(settings))


def _order(settings: Settings, addresses: Mapping[str, str], *, is_filled: bool) -> str:
    """Of the first product, or of one that is made before."""
    written = _ORDER if is_filled else _FIRST_ORDER
    return written.format(ecshop=_command(), data=_folder(settings), **addresses)


def _folder(settings: Settings) -> str:
    return shlex.quote(str(settings.folder))


def _command() -> str:
    """The command that is installed beside this interpreter works from any folder."""
    installed = Path(sys.executable).with_name("ecshop")
    return shlex.quote(str(installed)) if installed.exists() else f"{shlex.quote(sys.executable)} -m ecshop"
