"""Pages that scripts build, in a real Chromium: what is read, what is refused, what it costs."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.browsing import LIMITS, Browsing, MiB, browsers, browsing, gone
from tests.support.quick import shared

from leadline.errors import FetchFailed, FetchTooLarge, Forbidden, ToolMissing
from leadline.extract.children import ExtractPool
from leadline.fetch.reader import RENDERED, WebReader
from leadline.sandbox.chromium import cage
from leadline.testing import HostileWeb, WebPage
from leadline.testing.web import ETAG

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.server("chromium"),
    pytest.mark.server("bwrap"),
    pytest.mark.xdist_group("browser"),
]
ROOT = Path(__file__).resolve().parents[3]
BRIDGE = "The bridge over the river was finished in the year 605, and it is still in use today."
FILLING = "so that there is enough to be read for a page that has come to its end"
SHELL = "<!doctype html><title>A shell</title><p id=out></p><script>const say = (t) => { out.textContent = t + ' %s'; };%s</script>"


def script(text: str) -> WebPage:
    return WebPage(body=(SHELL % (FILLING, text)).encode(), headers={"ETag": ETAG})


LEAST = 0.75
"""Of the machine: where other programs leave less, a page that spins may stay unread; its own work excuses nothing."""


class Inside:
    """A server in a network that may not be fetched; it counts who connects."""

    def __init__(self) -> None:
        self.calls = 0

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        writer.write(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def web() -> AsyncIterator[HostileWeb]:
    async with HostileWeb({"/data": WebPage(body=json.dumps({"text": BRIDGE}).encode())}) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def open_browser(web: HostileWeb) -> AsyncIterator[Browsing]:
    async with browsing(web) as opened:
        yield opened


# ------------------------------------------------------------------------------------- what is read


async def test_a_page_that_scripts_build_is_read_and_says_so(web: HostileWeb, open_browser: Browsing) -> None:
    web.pages["/app"] = script("fetch('/data').then((r) => r.json()).then((j) => say(j.text))")
    failures: list[Exception] = []
    async with ExtractPool(workers=1) as parser:
        reader = WebReader(open_browser.fetcher, parser, browser=open_browser.browser, failed=failures.append)
        read = await reader.page(web.url("/app"), deadline=30)
    assert failures == []
    assert read is not None
    assert BRIDGE in read.fetched.text
    assert read.fetched.source.provider == RENDERED
    assert read.fetched.raw is not None
    assert BRIDGE.encode() in read.fetched.raw
    assert read.mark == ""  # that the shell has not changed says nothing
    sent = [request for request in web.requests if request.path == "/app"]
    assert [request.headers["user-agent"].startswith("Leadline/") for request in sent] == [True, True]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/static", f"<p>{BRIDGE * 4}</p><script>document.body.textContent = 'other'</script>"),
        ("/plain", "<p>Few words, and no program.</p>"),
    ],
)
async def test_other_pages_never_see_the_browser(web: HostileWeb, open_browser: Browsing, path: str, body: str) -> None:
    web.pages[path] = WebPage(body=body.encode())
    async with ExtractPool(workers=1) as parser:
        reader = WebReader(open_browser.fetcher, parser, browser=open_browser.browser)
        fetched = await reader.read(web.url(path), deadline=30)
    assert fetched.source.provider == "web"
    assert len(web.asked(path)) == 1


async def test_what_is_not_to_be_seen_is_dropped_and_shadow_trees_are_read(
    web: HostileWeb, open_browser: Browsing
) -> None:
    web.pages["/sheet.css"] = WebPage(body=b".quiet { display: none }", content_type="text/css")
    web.pages["/shadow"] = WebPage(
        body=b"""<link rel=stylesheet href=/sheet.css><x-a><b slot=s>in its slot</b></x-a><p class=quiet>unseen one</p>
        <p id=p>unseen two</p><script>
        customElements.define("x-a", class extends HTMLElement { connectedCallback() {
          this.attachShadow({mode: "open"}).innerHTML = "<p>in the shadow</p><slot name=s></slot><i hidden>unseen</i>";
        }});
        const sheet = new CSSStyleSheet(); sheet.replaceSync("#p { opacity: 0 }"); document.adoptedStyleSheets = [sheet];
        </script>"""
    )
    tree = await open_browser.shown("/shadow")
    assert "in the shadow" in tree
    assert "in its slot" in tree
    assert "unseen" not in tree
    assert "<script" not in tree


async def test_a_page_cannot_forge_how_it_is_read(web: HostileWeb, open_browser: Browsing) -> None:
    """Names that the page's scripts replace are not those that read it."""
    web.pages["/forged"] = script(
        "Object.defineProperty(Element.prototype, 'outerHTML', {get: () => 'forged'});"
        "Element.prototype.checkVisibility = () => true; String.prototype.slice = () => 'forged'; say('true words')"
    )
    tree = await open_browser.shown("/forged")
    assert "true words" in tree
    assert "forged" not in tree


async def test_pages_share_nothing(web: HostileWeb, open_browser: Browsing) -> None:
    web.pages["/keeps"] = script(
        "const before = document.cookie + (localStorage.seen || ''); document.cookie = 'seen=cookie';"
        "localStorage.seen = 'storage'; say(before || 'nothing was here')"
    )
    assert "nothing was here" in await open_browser.shown("/keeps")
    assert "nothing was here" in await open_browser.shown("/keeps")
    assert not any("cookie" in request.headers for request in web.asked("/keeps"))


# ------------------------------------------------------------------------------------- what is refused

WAYS_IN = {
    "fetch": "fetch(u).then((r) => r.text())",
    "no-cors": "fetch(u, {mode: 'no-cors'}).then((r) => r.status)",
    "post": "fetch(u, {method: 'POST', body: 'x', mode: 'no-cors'}).then((r) => r.status)",
    "xhr": "new Promise((d) => { const x = new XMLHttpRequest(); x.onloadend = () => d(x.status + x.responseText); x.open('GET', u); x.send(); })",
    "frame": "new Promise((d) => { const f = document.createElement('iframe'); f.src = u; f.onload = () => d('loaded'); document.body.append(f); })",
    "script": "new Promise((d) => { const s = document.createElement('script'); s.src = u; s.onload = s.onerror = (e) => d(e.type); document.body.append(s); })",
    "worker": "new Promise((d) => { const w = new Worker(URL.createObjectURL(new Blob([`fetch('${u}').then((r) => r.text()).then(postMessage, () => postMessage('refused'))`]))); w.onmessage = (e) => d(e.data); w.onerror = () => d('none'); })",
    "socket": "new Promise((d) => { const w = new WebSocket(u.replace('http', 'ws')); w.onerror = () => d('refused'); w.onopen = () => d('secret'); })",
    "beacon": "navigator.sendBeacon(u, 'x')",
    "redirect": "fetch('/to?location=' + encodeURIComponent(u), {mode: 'no-cors'}).then((r) => r.status)",
    "popup": "!!window.open(u)",
    "form": "(() => { const f = document.createElement('form'); f.action = u; f.target = '_blank'; document.body.append(f); f.submit(); })()",
}


def trying(address: str) -> WebPage:
    """Return a page that tries all ways to an address and tells how many it has tried."""
    ways = ", ".join(f"{json.dumps(name)}: async () => {way}" for name, way in WAYS_IN.items())
    return script(
        f"const u = {json.dumps(address)}; const ways = {{{ways}}};"
        "const bounded = (p) => Promise.race([p, new Promise((d) => setTimeout(d, 1000, 'nothing came'))]);"
        "Promise.allSettled(Object.values(ways).map((way) => bounded(way())))"
        ".then((all) => say(all.map((one) => one.value).join(' ') + ' tried ' + all.length))"
    )


@pytest.mark.parametrize("host", ["127.0.0.2", "inside.example"])
async def test_no_script_reaches_a_private_network(web: HostileWeb, open_browser: Browsing, host: str) -> None:
    inside = Inside()
    server = await asyncio.start_server(inside.answer, "127.0.0.2", 0)
    web.names["inside.example"] = ("127.0.0.2",)
    web.pages[f"/in/{host}"] = trying(f"http://{host}:{server.sockets[0].getsockname()[1]}/")
    try:
        tree = await open_browser.shown(f"/in/{host}")
    finally:
        server.close()
        await server.wait_closed()
    assert f"tried {len(WAYS_IN)}" in tree
    assert "secret" not in tree
    assert inside.calls == 0


async def test_the_same_ways_lead_to_a_public_page(web: HostileWeb, open_browser: Browsing) -> None:
    """So that what the test above sees is the guard, and no page that tries nothing."""
    web.pages["/goal"] = WebPage(body=b"found", headers={"Access-Control-Allow-Origin": "*"})
    web.pages["/out"] = trying(web.url("/goal", host="other.example"))
    tree = await open_browser.shown("/out")
    assert tree.count("found") >= 2
    assert len(web.asked("/goal")) >= 5


async def test_cloud_metadata_is_refused_by_the_proxy(web: HostileWeb, open_browser: Browsing) -> None:
    hosts = ["169.254.169.254", "metadata.google.internal", "[::ffff:169.254.169.254]", "2852039166"]
    web.names["metadata.google.internal"] = ("169.254.169.254",)
    web.pages["/metadata"] = script(
        f"Promise.allSettled({json.dumps(hosts)}.map((h) => fetch(`http://${{h}}/latest`, {{mode: 'no-cors'}})))"
        ".then((all) => say(all.map((one) => one.status).join(' ') + ' done'))"
    )
    tree = await open_browser.shown("/metadata")
    assert "done" in tree
    assert web.asked("/latest") == []


async def test_a_page_that_goes_to_a_private_address_stays_what_it_was(web: HostileWeb, open_browser: Browsing) -> None:
    for number, address in enumerate(
        ["http://10.0.0.7/", "file:///etc/passwd", "data:text/html,other", "chrome://version"]
    ):
        web.pages[f"/leaves/{number}"] = script(f"say('what was there'); location.href = {json.dumps(address)}")
        assert "what was there" in await open_browser.shown(f"/leaves/{number}")


async def test_a_redirect_to_a_private_address_is_no_page(web: HostileWeb, open_browser: Browsing) -> None:
    web.pages["/moves"] = script("location.href = '/to?location=http://169.254.169.254/latest'")
    with pytest.raises(Forbidden):
        await open_browser.rendered("/moves")


async def test_robots_txt_holds_where_a_script_goes_too(web: HostileWeb, open_browser: Browsing) -> None:
    web.pages["strict.example/robots.txt"] = WebPage(
        body=b"User-agent: *\nDisallow: /private", content_type="text/plain"
    )
    web.pages["strict.example/private"] = WebPage(body=b"<p>not for programs</p>")
    there = web.url("/private", host="strict.example")
    web.pages["/asks"] = script(f"say('what was there'); location.href = '{there}'")
    assert "what was there" in await open_browser.shown("/asks")
    assert web.asked("/private") == []


async def test_nothing_is_granted(web: HostileWeb, open_browser: Browsing) -> None:
    web.pages["/wants"] = script(
        """const told = {};
        const wants = {
          place: async () => (await navigator.permissions.query({name: 'geolocation'})).state,
          notice: async () => Notification.requestPermission(),
          worker: async () => String(!!(await navigator.serviceWorker.register('/sw.js'))),
          paths: () => new Promise((done) => {
            const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:stun.example:3478'}]}), found = [];
            peer.onicecandidate = (event) => { if (event.candidate) found.push(event.candidate.candidate); };
            peer.createDataChannel('x'); peer.createOffer().then((o) => peer.setLocalDescription(o));
            setTimeout(() => done(found.join()), 700);
          }),
        };
        const within = (work) => Promise.race([work, new Promise((d) => setTimeout(d, 900, 'no answer'))]);
        Promise.all(Object.entries(wants).map(async ([name, want]) => {
          try { told[name] = await within(want()); } catch (error) { told[name] = 'failed'; }
        })).then(() => say(JSON.stringify(told) + ' done'))"""
    )
    tree = await open_browser.shown("/wants")
    assert "done" in tree
    told = json.loads(tree.partition('<p id="out">')[2].partition(" done")[0])
    assert told["place"] == "denied"
    assert told["notice"] in {"denied", "failed", "no answer"}
    assert told["worker"] in {"false", "failed", "no answer"}
    assert told["paths"] in {"", "failed"}
    assert web.asked("/sw.js") == []


async def test_a_download_is_no_page(web: HostileWeb, open_browser: Browsing) -> None:
    asked = iter([script("say('x')"), WebPage(body=b"x" * 1000, headers={"Content-Disposition": "attachment"})])
    web.pages["/turns"] = lambda _: next(asked)
    with pytest.raises(FetchFailed):
        await open_browser.rendered("/turns")


# ------------------------------------------------------------------------------------- what it costs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("/forever", "say('was there'); setInterval(() => { for (;;) {} }, 0)"),
        ("/at-once", "say('was there'); for (;;) {}"),
        (
            "/grows",
            "say('was there'); setInterval(() => out.insertAdjacentHTML('afterend', '<p>more and more</p>'.repeat(9000)), 0)",
        ),
        (
            "/asks-for-ever",
            "say('was there'); let i = 0; setInterval(() => { for (let k = 0; k < 50; k++) fetch('/data?' + i++); }, 1)",
        ),
        ("/windows", "say('was there'); setInterval(() => window.open('/data?popup'), 5)"),
        (
            "/talks",
            "say('was there'); const x = 'y'.repeat(1e5); setInterval(() => { for (let k = 0; k < 20; k++) console.log(x + k); }, 0)",
        ),
        ("/dialogs", "say('was there'); setInterval(() => alert('x'), 1)"),
        ("/hangs", "say('was there'); fetch('/silence')"),
        (
            "/turns-round",
            "say('was there'); setInterval(() => { location.hash = Math.random(); history.pushState({}, '', '?' + Math.random()); }, 1)",
        ),
    ],
)
async def test_scripts_without_an_end_end(web: HostileWeb, open_browser: Browsing, path: str, program: str) -> None:
    """What is there when the time is over is read, in time; the next one is read as well.

    A page that turns round and round keeps processors busy itself, which excuses nothing: only what others kept
    from it does.
    """
    web.pages[path] = script(program)
    web.pages["/next"] = script("say('the next one')")
    before = len(web.requests)
    tree, failed = "", None
    with shared() as share:
        try:
            tree = await open_browser.shown(path)
        except FetchFailed as error:
            failed = error
    assert share.fair < LIMITS.seconds + 5, share
    assert len(web.requests) - before <= LIMITS.requests + 2
    assert "was there" in tree or share.fair < LEAST * share.took, (failed, share)
    assert len(tree) <= LIMITS.chars
    assert "the next one" in await open_browser.shown("/next")


@pytest.mark.slow
async def test_bytes_requests_and_the_tree_are_bounded(web: HostileWeb) -> None:
    limits = replace(LIMITS, bytes=MiB, requests=20, chars=50_000)
    web.pages["/big"] = WebPage(body=b"z" * 400_000, content_type="text/plain")
    web.pages["/eats"] = script(
        "(async () => { for (let i = 0; i < 10; i++) { await fetch('/big?' + i).then((r) => r.text()); say('ate ' + i); } })()"
    )
    web.pages["/many"] = script("say('many'); for (let i = 0; i < 100; i++) fetch('/data?m' + i)")
    web.pages["/long"] = script("say('long '.repeat(50000))")
    async with browsing(web, limits=limits) as small:
        ate = await small.rendered("/eats")
        assert ate.truncated
        assert b"ate 1" in ate.body
        assert b"ate 2" not in ate.body
        before = len(web.requests)
        assert (await small.rendered("/many")).truncated
        assert len(web.requests) - before <= 22
        long = await small.rendered("/long")
        assert long.truncated
        assert len(long.body) == 50_000


@pytest.mark.slow
async def test_memory_is_bounded_and_the_browser_comes_back(web: HostileWeb) -> None:
    web.pages["/eater"] = script(
        "const all = []; setInterval(() => { all.push(new Uint8Array(4e7).fill(1)); say('eating'); }, 1)"
    )
    web.pages["/after"] = script("say('after all')")
    async with browsing(web, limits=replace(LIMITS, memory=768 * MiB)) as opened:
        with pytest.raises(FetchTooLarge):
            await opened.rendered("/eater")
        assert "after all" in await opened.shown("/after")


# ------------------------------------------------------------------------------------- the browser itself


@pytest.mark.slow
async def test_one_browser_serves_several_pages_and_is_replaced(web: HostileWeb) -> None:
    web.pages["/slow"] = script("setTimeout(() => say('slowly'), 300)")
    async with browsing(web, limits=replace(LIMITS, pages=2), pages=2) as opened:
        known = set(browsers())
        async with asyncio.TaskGroup() as tasks:
            shown = [tasks.create_task(opened.shown("/slow")) for _ in range(2)]
        assert all("slowly" in one.result() for one in shown)
        first = set(browsers()) - known
        assert "slowly" in await opened.shown("/slow")
        second = set(browsers()) - known
        assert first
        assert second
        assert not first & second
    assert gone(list(first | second))


@pytest.mark.slow
async def test_an_idle_browser_ends(web: HostileWeb) -> None:
    web.pages["/once"] = script("say('once')")
    async with browsing(web, limits=replace(LIMITS, idle=0.1)) as opened:
        known = set(browsers())
        assert "once" in await opened.shown("/once")
        started = list(set(browsers()) - known)
        assert await asyncio.to_thread(gone, started)
        assert "once" in await opened.shown("/once")


async def test_it_is_confined_and_leaves_nothing(web: HostileWeb, open_browser: Browsing) -> None:
    """Seen from outside: its own sandbox is on, its root holds no file of ours, its network has no way out."""
    web.pages["/look"] = script("setTimeout(() => say('looked'), 1000)")
    known = set(browsers())
    async with browsing(web) as opened:
        seen: dict[int, Seen] = {}
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(opened.shown("/look"))
            while not looking.done():
                seen |= {process: one for process in set(browsers()) - known if (one := _seen(process)) is not None}
                await asyncio.sleep(0.05)
        assert "looked" in looking.result()
    assert not await asyncio.to_thread(lambda: [p for p in seen if not gone([p])])
    ours = await asyncio.to_thread(lambda: str(Path("/proc/self/ns/net").readlink()))
    inner = [one for one in seen.values() if "/bwrap " not in one.command and "chromium" in one.program]
    assert inner
    assert not any(re.search(r"--no-sandbox(\s|$)", one.command) for one in inner)
    assert all(one.network != ours for one in inner)
    assert all(one.interfaces <= {"lo"} for one in inner)
    assert all(one.user != 0 for one in inner)
    renderers = [one for one in inner if "--type=renderer" in one.command]
    assert renderers
    assert any(one.filtered and one.capabilities == 0 for one in renderers)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A process as the outside sees it."""

    command: str
    program: str
    network: str
    interfaces: set[str]
    user: int
    capabilities: int
    filtered: bool


def _seen(process: int) -> Seen | None:
    folder = Path(f"/proc/{process}")
    try:
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        devices = (folder / "net/dev").read_text().splitlines()[2:]
        return Seen(
            command=(folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip(),
            program=str((folder / "exe").readlink()),
            network=str((folder / "ns/net").readlink()),
            interfaces={line.partition(":")[0].strip() for line in devices},
            user=int(status["Uid"].split()[0]),
            capabilities=int(status["CapEff"], 16),
            filtered=status["Seccomp"].strip() == "2",
        )
    except (OSError, KeyError):
        return None  # it has just ended


async def test_a_browser_that_cannot_be_confined_is_not_started(web: HostileWeb) -> None:
    web.pages["/short"] = WebPage(body=b"<p>Some words.</p><script>1</script>")
    broken = replace(await asyncio.to_thread(cage, None, memory=LIMITS.memory, doors=1), bwrap=Path("/bin/false"))
    known = set(browsers())
    failures: list[Exception] = []
    async with browsing(web, within=broken) as opened, ExtractPool(workers=1) as parser:
        with pytest.raises(ToolMissing, match="no confined browser"):
            await opened.rendered("/short")
        with pytest.raises(ToolMissing, match="a moment ago"):
            await opened.rendered("/short")
        reader = WebReader(opened.fetcher, parser, browser=opened.browser, failed=failures.append)
        fetched = await reader.read(web.url("/short"), deadline=30)
    assert fetched.text.strip() == "Some words."
    assert [type(error) for error in failures] == [ToolMissing]
    assert set(browsers()) <= known


@pytest.mark.slow
async def test_it_works_for_a_plain_user_without_control_groups() -> None:
    program = "import sys; sys.path[:0] = sys.argv.pop().split(':'); from tests.integration.fetch.plain_browser import main; main()"
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, f"{ROOT}:{ROOT / 'src'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd="/",
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["user"] != 0
    assert told["read"] == "read by a plain user"
    assert told["eater"] == "fetch_too_large"
