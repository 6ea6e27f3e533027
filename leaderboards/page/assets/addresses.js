"use strict";
// Addresses within the page: #section/what/was/chosen. They are read, followed and written here.

// Reads a place in a list from an address. Null: it is none.
selfcheck.place = (text, length) =>
  /^\d{1,6}$/.test(text ?? "") && Number(text) < length ? Number(text) : null;

// Writes what the user chose into the address; the history gets no entry.
selfcheck.remember = (address) => {
  try {
    history.replaceState(null, "", address);
  } catch {
    // Safari refuses more than 100 in half a minute: the address is then a few choices old.
  }
};

// A click that means to follow a link here, not in another tab.
selfcheck.plain = (event) =>
  !event.defaultPrevented &&
  event.button === 0 &&
  !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

// Calls `go` with the parts of every address #section/... that is followed; now, too, if the page
// was opened at one. True: it was.
selfcheck.follow = (section, go) => {
  const start = `#${section}/`;
  const visit = () => {
    if (!location.hash.startsWith(start)) return false;
    go(location.hash.slice(start.length).split("/"));
    return true;
  };
  addEventListener("hashchange", visit);
  // A link to where the page already is changes no address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const here = link?.getAttribute("href") === location.hash;
    if (here && selfcheck.plain(event)) visit();
  });
  return visit();
};

// Brings a section to the top of the window; what is read or tabbed to next is in it.
selfcheck.arrive = (id) => {
  const section = document.getElementById(id);
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
  section.scrollIntoView();
};
