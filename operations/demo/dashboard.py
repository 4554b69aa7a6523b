"""Reading the register as a lecturer's browser does: sign in over HTTP, fetch the export of what the page shows."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from html import unescape

from attendance.errors import AttendanceError
from attendance.tables.errors import TableError
from attendance.tables.reading import Column, read_table

_REGISTER = (
    Column("Index number", aliases=("index_number",)),
    Column("Student", aliases=("student",)),
    Column("Status", aliases=("status",)),
    Column("First seen", aliases=("first_seen",)),
)


class DashboardError(AttendanceError):
    """The dashboard did not answer as it should."""


class Dashboard:
    """A signed-in visitor of the dashboard.

    Args:
        address: e.g. "http://127.0.0.1:8000".
    """

    def __init__(self, address: str) -> None:
        self._address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        # The dashboard is on this machine: a proxy that the environment names is none of its business.
        self._browser = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))

    def answers(self) -> bool:
        """Whether the sign-in page is served."""
        try:
            self._get("/signin")
        except (DashboardError, OSError):
            return False
        return True

    def sign_in(self, email: str, password: str) -> None:
        """Sign in.

        Raises:
            DashboardError: refused.
        """
        page = self._get("/signin")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        if token is None:
            raise DashboardError("The sign-in page holds no form")
        form = {"csrf_token": unescape(token[1]), "email": email, "password": password}
        self._get("/signin", urllib.parse.urlencode(form).encode())
        if 'name="password"' in self._get("/"):
            raise DashboardError(f"The dashboard does not let {email} in")

    def register(self, session_id: int) -> list[dict[str, str]]:
        """The register of a class session as the dashboard exports it, one mapping a student.

        Raises:
            DashboardError: not served.
        """
        text = self._get(f"/sessions/{session_id}/register.csv")
        try:
            return [line.values for line in read_table(text.encode(), _REGISTER).lines()]
        except TableError as error:
            raise DashboardError(f"The register cannot be read: {error}") from None

    def _get(self, path: str, form: bytes | None = None) -> str:
        try:
            with self._browser.open(self._address + path, data=form, timeout=30) as answer:
                return str(answer.read().decode("utf-8"))
        except urllib.error.HTTPError as error:
            raise DashboardError(f"{path} was answered with {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise DashboardError(f"{path}: {error.reason}") from None
