"use strict";
// What the sections share: addresses within the page, counts in words, and commands to run.

// "1 document", "1,204 documents".
selfcheck.count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// A name within a sentence: its direction ends where it ends.
selfcheck.name = (text) => selfcheck.el("bdi", { class: "name" }, text);

// A command as text, safe to paste: names of tasks and models are what others wrote.
selfcheck.command = (...words) => {
  const quoted = (word) =>
    /^[\w.,:@%+=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return selfcheck.el("code", { class: "run", dir: "ltr" }, words.map(quoted).join(" "));
};

// Tasks whose samples are in the page, and which of them to begin with: the first ranked one.
selfcheck.sampled = (board) => {
  const tasks = [...board.tasks.keys()].filter((place) => board.tasks[place].shown > 0);
  const ranked = tasks.findIndex((place) => board.tasks[place].headline !== null);
  return { tasks, first: Math.max(0, ranked) };
};

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

// A click that means to follow a link here, not in another tab.
selfcheck.plain = (event) =>
  !event.defaultPrevented &&
  event.button === 0 &&
  !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

// Lets the newest of several answers through: awaits them, and gives null if another was asked
// for meanwhile.
selfcheck.newest = () => {
  let asked = 0;
  return async (...promises) => {
    const mine = ++asked;
    const answers = await Promise.all(promises);
    return mine === asked ? answers : null;
  };
};

// Adds what `make` gives for every entry, 50 at a time, and then a button for more.
selfcheck.paged = (parent, entries, make, noun, focus) => {
  const step = 50;
  let shown = 0;
  const button = selfcheck.el("button", { type: "button", class: "more" });
  const upTo = (number) => {
    const added = entries.slice(shown, number).map(make);
    parent.append(...added);
    shown = Math.min(number, entries.length);
    const left = entries.length - shown;
    button.hidden = left === 0;
    button.textContent = `show ${Math.min(step, left)} more of ${selfcheck.count(left, noun)}`;
    return added;
  };
  button.addEventListener("click", () => {
    // The button may be gone now; whoever pressed it goes on with the first of the new ones.
    const [first] = upTo(shown + step);
    focus(first).focus();
  });
  upTo(step);
  return { button, upTo: (number) => number > shown && upTo(Math.ceil(number / step) * step) };
};
