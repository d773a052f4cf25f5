"""
A web page of another origin in a real browser, and a gateway without authentication.
"""

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import COMPLETIONS, asking
from tests.integration.requirements import missingProgram

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

PAGE = """<!doctype html><title>page</title><iframe name=sink></iframe>
<form method=post enctype=text/plain target=sink action="%(url)s"></form>
<script>
const url = %(quoted)s, body = %(body)s, headers = {"content-type": "text/plain"};
async function ask(more) {
  try {
    const answer = await fetch(url, {method: "POST", body, headers, ...more});
    return answer.type == "opaque" ? "opaque" : String(answer.status);
  } catch (error) { return "unreadable"; }
}
addEventListener("load", async () => {
  const seen = [await ask({mode: "no-cors"}), await ask({})];
  const loaded = new Promise(done =>
    document.querySelector("iframe").addEventListener("load", done, {once: true}));
  const form = document.querySelector("form"), field = document.createElement("input");
  const parts = body.split('"hi"');
  field.name = parts[0] + '"hi"' + parts[1].replace(/}$/, ',"user":"');
  field.value = '"}';
  form.append(field);
  form.submit();
  await loaded;
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
});
</script>"""


class Page(Resource):
    """
    The page, and the resource to which it posts its results.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.seen: Deferred[Any] = Deferred()

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("content-type", "text/html; charset=utf-8")
        return self.text.encode()

    def render_POST(self, request: Request) -> bytes:
        """
        Receive the results.
        """
        self.seen.callback(json.load(request.content))
        return b""


class BrowserTests(DaemonTestCase):
    """
    The page sends requests without a preflight request.
    """

    timeout = 30
    skip = missingProgram("chromium")

    async def visit(self, *allowed: str) -> tuple[Any, int]:
        """
        Open the page.

        @param allowed: The allowed origins; C{%d} is the page's port.
        @return: The results of its requests, and the number of model calls.
        """
        self.upstream.says("so", "so", "so")
        page = Page()
        port = reactor.listenTCP(0, Site(page), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        origins = [each % number for each in allowed]
        changes = {
            "gateway": {
                "auth": {"token": None, "mode": "none"},
                "http": {"cors": {"allowedOrigins": origins}},
            }
        }
        daemon = await self.startDaemon(config=self.configure(changes))
        url = f"{daemon.url}{COMPLETIONS}"
        body = json.dumps(json.dumps(asking("hi")))
        page.text = PAGE % {"url": url, "quoted": json.dumps(url), "body": body}
        browser = self.start(
            "/usr/bin/env",
            "chromium",
            *OPTIONS,
            f"--user-data-dir={self.folder / 'profile'}",
            "--remote-debugging-port=0",
            f"http://127.0.0.1:{number}/",
        )
        seen = await page.seen
        await browser.stop()
        return seen, len(self.upstream.calls)

    async def test_foreign(self) -> None:
        """
        No request of the page starts a run.
        """
        seen, calls = await self.visit()
        self.assertEqual(calls, 0)
        self.assertEqual(seen, ["opaque", "unreadable"])

    async def test_allowed(self) -> None:
        """
        A page of an allowed origin can read the response.
        """
        seen, calls = await self.visit("http://127.0.0.1:%d")
        self.assertEqual(seen[1], "200")
        self.assertGreaterEqual(calls, 2)
