"""Opening an http address: redirects bounded, credentials kept to their host, every failure with a name."""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, InvalidURL
from ipaddress import ip_address
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from tutelage.errors import TeacherError

TIMEOUT = 20.0
"""Seconds without a byte after which a server counts as hanging."""
REDIRECTS = 5
MOVED = (301, 302, 303, 307, 308)
PASSING = (408, 416, 425, 429)
"""Refusals that another request may mend; so may every 5xx."""


class Again(Exception):
    """An attempt failed in a way that another one may mend; ``code`` is the server's status, or 0."""

    def __init__(self, why: str, code: int = 0) -> None:
        self.code = code
        super().__init__(why)


def open_url(url: str, headers: Mapping[str, str]) -> HTTPResponse:
    """The first answer that is not a redirect; its body is still to be read.

    Args:
        url: http or https; a name and password in it are sent to that scheme, host and port alone.

    Raises:
        Again: no answer, or one that may be better the next time.
        TeacherError: ``not-found``, ``refused``, ``bad-redirect``, ``not-trusted`` or ``unknown-source``.
    """
    here, opener = url, _opener()
    for _ in range(REDIRECTS + 1):
        try:
            answer: HTTPResponse = opener.open(_ask(here, headers, url), timeout=TIMEOUT)
        except HTTPError as error:
            error.close()
            if error.code not in MOVED:
                raise _turned_away(url, error.code) from error
            here = _hop(url, here, error.headers.get("Location", ""))
        except (OSError, HTTPException, ValueError) as error:
            raise _unreached(url, error) from error
        else:
            return _with_body(url, answer)
    raise _bad_redirect(url, f"more than {REDIRECTS} redirects")


def _with_body(url: str, answer: HTTPResponse) -> HTTPResponse:
    if answer.status not in (200, 206):
        answer.close()
        raise _turned_away(url, answer.status)
    return answer


def _opener() -> request.OpenerDirector:
    """Http, https and the user's proxies; no file, ftp or data URLs, whatever a redirect says.

    Without the library's handler of redirects they are errors, which ``open_url`` follows itself: the
    library would read their bodies, however long, and send every header on.
    """
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler,
        request.HTTPErrorProcessor, request.HTTPDefaultErrorHandler, request.UnknownHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _ask(url: str, wanted: Mapping[str, str], first: str) -> request.Request:
    parts, owner = urlsplit(url), urlsplit(first)
    headers = {"User-Agent": "tutelage", "Accept-Encoding": "identity", **wanted}
    if owner.username and _origin(parts) == _origin(owner):
        pair = f"{unquote(owner.username)}:{unquote(owner.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return request.Request(shown(url), headers=headers)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _hop(first: str, here: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        TeacherError: to no http address, or from a safe connection to an open one.
    """
    try:
        there = urljoin(here, location)
        parts = urlsplit(there)
    except ValueError as error:
        raise _bad_redirect(first, "a redirect to what is no address") from error
    if not location or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad_redirect(first, "a redirect to what is no http address")
    if (
        urlsplit(here).scheme == "https"
        and parts.scheme == "http"
        and not _loopback(parts.hostname)
    ):
        raise _bad_redirect(first, f"a redirect from https to http at {parts.hostname}")
    return there


def _loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def shown(url: str) -> str:
    """A URL as it may be shown and written down: without name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _turned_away(url: str, code: int) -> Exception:
    if code in PASSING or code >= 500:
        return Again(f"{shown(url)} answered {code}", code)
    if code not in (404, 410):
        return TeacherError(
            "refused", given=f"{shown(url)} answered {code}", expected="a server that sends the file",
            next="Check the URL and that you may read it, or give another source.",
        )  # fmt: skip
    return TeacherError(
        "not-found", given=f"{shown(url)} is not there (the server answered {code})",
        expected="the address of a file", next="Check the URL: the publisher may have moved the file.",
    )  # fmt: skip


def _unreached(url: str, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return TeacherError(
            "not-trusted", given=f"the certificate of {shown(url)} is not trusted ({reason.verify_message})",
            expected="a certificate of an authority that this machine knows",
            next="If your network has its own authority, set SSL_CERT_FILE=ITS_FILE.pem and run again.",
        )  # fmt: skip
    if isinstance(reason, TimeoutError):
        return Again(f"{shown(url)} did not answer within {TIMEOUT:g} seconds")
    if isinstance(reason, (ValueError, InvalidURL)):
        return no_address(url)
    return Again(f"{shown(url)} cannot be reached ({type(reason).__name__}: {reason})")


def no_address(url: str) -> TeacherError:
    """The one error for a source that is neither an http address nor a file."""
    return TeacherError(
        "unknown-source", given=repr(url.rpartition("@")[2]), expected="an http or https URL, or a path of a file",
        next="Check the source for typing errors.",
    )  # fmt: skip


def _bad_redirect(url: str, why: str) -> TeacherError:
    return TeacherError(
        "bad-redirect", given=f"{shown(url)}: {why}", expected="the file, or a safe way to it",
        next="Check the URL: the publisher may have moved the file.",
    )  # fmt: skip
