"use strict";
// Tooltips. CSS shows them while their place is pointed at or has the focus. Here they are kept
// inside the window, whatever scrolls around them, and put away by Escape (WCAG 1.4.13).

{
  const MARGIN = 8;
  const hostOf = (event) => event.target.closest?.("[data-tip]") ?? null;

  // Below its place, above it where there is no room; no gap, for the pointer to get there.
  const place = ({ host, tip }) => {
    Object.assign(tip.style, { position: "fixed", left: "0", top: "0" });
    const box = tip.getBoundingClientRect();
    const at = host.getBoundingClientRect();
    const last = document.documentElement.clientWidth - box.width - MARGIN;
    const fits = at.bottom + box.height + MARGIN <= window.innerHeight;
    tip.style.left = `${Math.max(MARGIN, Math.min(at.left, last))}px`;
    tip.style.top = `${fits ? at.bottom : Math.max(0, at.top - box.height)}px`;
  };

  const start = () => {
    let open = null;
    const show = (event) => {
      const host = hostOf(event);
      const tip = host?.querySelector(".tip");
      if (!tip || (open?.host === host && event.type === "pointerover")) return;
      host.classList.remove("closed");
      open = { host, tip };
      place(open);
    };
    const leave = (event) => {
      if (open && hostOf(event) === open.host && !open.host.contains(event.relatedTarget))
        open = null;
    };
    for (const type of ["pointerover", "focusin"]) document.addEventListener(type, show);
    for (const type of ["pointerout", "focusout"]) document.addEventListener(type, leave);
    const scrolled = () => open && place(open);
    document.addEventListener("scroll", scrolled, { capture: true, passive: true });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const host of document.querySelectorAll("[data-tip]:hover, [data-tip]:focus-within")) {
        host.classList.add("closed");
      }
    });
  };

  selfcheck.start("overview", start, { alone: true });
}
