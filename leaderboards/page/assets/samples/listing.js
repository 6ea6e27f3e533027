"use strict";
// The reader's list of documents.

{
  const { el } = selfcheck;

  class Listing {
    constructor(list) {
      this.list = list;
      const box = el("div", { class: "listing" });
      list.before(box);
      box.append(list); // the button for more stands below it
    }

    // Calls `open` with the place of the document that is chosen here, not in another tab.
    listen(open) {
      this.list.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-at]");
        if (!link || !selfcheck.plain(event)) return;
        event.preventDefault();
        open(Number(link.dataset.at));
      });
    }

    busy() {
      this.list.setAttribute("aria-busy", "true");
    }

    clear() {
      this.list.removeAttribute("aria-busy");
      this.list.replaceChildren();
      this.pages?.button.remove();
    }

    show(found, chosen, address) {
      this.clear();
      this.list.scrollTop = 0;
      const item = (at) => el("li", {}, entry(found, at, address(at)));
      const link = (made) => made.firstChild;
      this.pages = selfcheck.paged(this.list, chosen, item, "document", link);
      this.list.after(this.pages.button);
    }

    // Marks the open document, and keeps it in view within the list; the page itself stays.
    mark(at, place, address) {
      const { list, pages } = this;
      pages.upTo(place + 1);
      list.querySelector("[aria-current]")?.removeAttribute("aria-current");
      const link = list.querySelector(`a[data-at="${at}"]`);
      if (!link) return;
      link.setAttribute("aria-current", "true");
      const [box, all] = [link.getBoundingClientRect(), list.getBoundingClientRect()];
      if (box.top < all.top) list.scrollTop += box.top - all.top;
      else if (box.bottom > all.bottom) list.scrollTop += box.bottom - all.bottom;
    }
  }

  const told = (value) =>
    value === null || value === undefined ? "does not apply" : selfcheck.number(value);

  const entry = (found, at, href) => {
    const { scores, samples, values, against, paired, pairs } = found;
    const value = el("span", { class: "value" }, `${scores.by} ${told(values?.[at])}`);
    if (paired) value.append(` beside ${told(against?.[at])}`);
    if (selfcheck.isFlipped(pairs, at)) value.append(" ", el("strong", {}, "differ"));
    return el(
      "a",
      { href, "data-at": at },
      el("span", { class: "excerpt", dir: "auto" }, scores.excerpts[at]),
      el("span", { class: "verdict" }, selfcheck.verdictOf(samples[at])),
      value,
    );
  };

  selfcheck.Listing = Listing;
}
