"""A page with what it keeps compressed, until a reader opens it, put in place."""

import base64
import html
import json
import re
import zlib


def kept(page: str) -> dict[str, str]:
    """The compressed texts by name."""
    found = re.search(r'id="pack">([^<]*)<', page)
    return json.loads(zlib.decompress(base64.b64decode(found[1]))) if found else {}


def opened(page: str) -> str:
    """The page with the body of each fold in its place."""
    texts = kept(page)
    return re.sub(r'<div data-body="([^"]*)"></div>', lambda found: texts[html.unescape(found[1])], page)
