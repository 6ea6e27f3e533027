"""What a page does that ours never does: it is written down, and ends the test."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from playwright.sync_api import BrowserContext, Page

REPORT = """
addEventListener("securitypolicyviolation", (event) => console.error(
    "blocked by the policy:", event.effectiveDirective, event.blockedURI, event.sample), true);
"""
"""Runs before the page's own scripts."""


@dataclass
class Watch:
    """What was seen, by kind; a test that expects some of it takes it out.

    Attributes:
        dialogs: alert, confirm, prompt, print.
        requests: addresses that were asked for, the page's own and images in `data:` apart.
        messages: errors and warnings of the console, which tells of what the policy blocked.
        errors: exceptions that nobody caught.
        others: downloads, windows, frames, workers, sockets.
    """

    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def seen(self) -> dict[str, list[str]]:
        """What there is of each kind, if anything."""
        return {kind: told for kind, told in asdict(self).items() if told}

    def follow(self, context: BrowserContext) -> Page:
        """Open a page in a new context, and watch it."""
        context.add_init_script(REPORT)
        context.on("request", lambda request: self._ask(request.url))
        page = context.new_page()
        context.on("page", lambda popup: self.others.append(f"window {popup.url}"))
        page.on("dialog", self._dismiss)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("download", lambda file: self.others.append(f"download {file.suggested_filename}"))
        page.on("frameattached", lambda frame: self.others.append(f"frame {frame.url}"))
        page.on("worker", lambda worker: self.others.append(f"worker {worker.url}"))
        page.on("websocket", lambda socket: self.others.append(f"socket {socket.url}"))
        return page

    def clear(self) -> None:
        """Forget all that was seen."""
        for kind in fields(self):
            getattr(self, kind.name).clear()

    def _ask(self, url: str) -> None:
        own = url.startswith("file://") and url.partition("#")[0].endswith(".html")
        if not own and not url.startswith("data:image/"):
            self.requests.append(url)

    def _dismiss(self, dialog: object) -> None:
        self.dialogs.append(f"{dialog.type} {dialog.message!r}")
        dialog.dismiss()

    def _hear(self, message: object) -> None:
        if message.type in ("error", "warning", "assert"):
            self.messages.append(message.text)
