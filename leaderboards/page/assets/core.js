"use strict";
// What the other scripts share: the page's data, and how text becomes part of the page.
// Texts of models and files enter by textContent alone; nothing here or elsewhere parses HTML.

const selfcheck = { starts: [] };

// A section registers what it does once the board is there: begin(board). What needs no board, as
// sorting does, works in a damaged page, too.
selfcheck.start = (section, begin, { alone = false } = {}) =>
  selfcheck.starts.push({ section, begin, alone });

// Reads a block of data: JSON, compressed by gzip, in base64. Null: the page has none of the name.
selfcheck.block = (() => {
  const read = new Map();
  const inflate = async (name) => {
    const place = document.querySelector(`script[data-block="${CSS.escape(name)}"]`);
    if (!place) return null;
    const bytes = Uint8Array.from(atob(place.textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  };
  return (name) => {
    if (!read.has(name)) read.set(name, inflate(name));
    return read.get(name);
  };
})();

// Makes an element. Attributes that are null or false are left out; children are nodes or texts.
selfcheck.el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

// Pieces of a text, [kind, text] each: as it is (""), or marked by what became of it.
selfcheck.pieces = (pieces) => {
  const marks = { gone: "del", new: "ins", masked: "mark", cut: "em" };
  const all = document.createDocumentFragment();
  for (const [kind, text] of pieces) {
    all.append(kind in marks ? selfcheck.el(marks[kind], { class: kind }, text) : text);
  }
  return all;
};

// Three decimals, halves to the even one as Python has it: the server's numbers and these are the
// same. Only multiples of 1/16 lie exactly between two.
const fixed = (value) => {
  const between = Number.isInteger(value * 16) && Math.abs((value * 2000) % 2) === 1;
  const told = between ? (2 * Math.round(value * 500)) / 1000 : value;
  return told.toFixed(3).replaceAll("-", "−");
};
selfcheck.number = (value) => (value === null ? "–" : fixed(value));
selfcheck.signed = (value) =>
  value === null ? "–" : (value < 0 ? "−" : "+") + fixed(Math.abs(value));
selfcheck.interval = (low, high) =>
  low === null || high === null ? "–" : `[${fixed(low)}, ${fixed(high)}]`;
selfcheck.p = (value) => (value === null ? "–" : value < 0.001 ? "< 0.001" : fixed(value));

// Fills a <select>; `told` are its texts, their places the values.
selfcheck.fill = (select, told, chosen = 0) => {
  select.replaceChildren(
    ...told.map((text, place) =>
      selfcheck.el("option", { value: place, selected: place === chosen }, text),
    ),
  );
};

// "1 document", "1,204 documents".
selfcheck.count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// A text as searches compare it.
selfcheck.folded = (text) => text.normalize("NFKC").toLowerCase();

// A name within a sentence: its direction ends where it ends.
selfcheck.name = (text) => selfcheck.el("bdi", { class: "name" }, text);

// A command as text, safe to paste: names of tasks and models are what others wrote.
selfcheck.command = (...words) => {
  const quoted = (word) =>
    /^[\w.,:@%+=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return selfcheck.el("code", { class: "run", dir: "ltr" }, words.map(quoted).join(" "));
};

// The tasks that a section can offer, and which of them to begin with: the first ranked one.
selfcheck.offered = (board, has) => {
  const tasks = [...board.tasks.keys()].filter((place) => has(board.tasks[place]));
  const ranked = tasks.findIndex((place) => board.tasks[place].headline !== null);
  return { tasks, first: Math.max(0, ranked) };
};

// Which tasks a section does not offer, and why; null if it offers all.
selfcheck.leftOut = (board, tasks) => {
  const most = 3;
  const missing = board.tasks.filter((_, place) => !tasks.includes(place));
  if (!missing.length) return null;
  const reasons = new Map();
  for (const { name, lacks } of missing) reasons.set(lacks, [...(reasons.get(lacks) ?? []), name]);
  const told = [...reasons].map(([lacks, names]) => {
    const all = names.length === board.tasks.length && names.length > 1;
    const left = names.length - most;
    const some = names.slice(0, most).join(", ") + (left > 0 ? ` and ${left} more` : "");
    return (all ? "all tasks" : some) + (lacks === null ? "" : ` (${lacks})`);
  });
  return `Not in the page: ${told.join("; ")}.`;
};

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

// The board with its lines as objects. Fails where the page is damaged or the browser too old.
selfcheck.board = async () => {
  const board = await selfcheck.block("board");
  const found = new Map();
  board.lines = board.lines.map((cells) =>
    Object.fromEntries(board.columns.map((name, place) => [name, cells[place]])),
  );
  for (const line of board.lines) found.set(`${line.model}/${line.task}/${line.metric}`, line);
  board.line = (model, task, metric) => found.get(`${model}/${task}/${metric}`) ?? null;
  return board;
};

// Says in a section why it does not work.
selfcheck.fail = (section, told) => {
  const place = document.getElementById(section);
  const status = place.querySelector("[role=status]");
  if (status) status.textContent = told;
  else place.append(selfcheck.el("p", { role: "status" }, told));
};

document.addEventListener("DOMContentLoaded", async () => {
  const begin = ({ section, begin }, board) => {
    try {
      begin(board);
    } catch (error) {
      console.error(error); // the other sections still work
      selfcheck.fail(section, "The page is damaged: this section does not work.");
    }
  };
  const rest = selfcheck.starts.filter(({ alone }) => !alone);
  for (const start of selfcheck.starts.filter(({ alone }) => alone)) begin(start);
  try {
    const board = await selfcheck.board();
    for (const start of rest) begin(start, board);
  } catch (error) {
    console.error(error);
    const why =
      "DecompressionStream" in window
        ? "The page is damaged: its data cannot be read."
        : "This browser cannot read the page's data: it is too old to decompress it.";
    for (const { section } of rest) {
      selfcheck.fail(section, why);
      for (const control of document.querySelectorAll(`#${section} :is(input, select)`)) {
        control.disabled = true;
      }
    }
    selfcheck.fail("overview", `${why} The table can still be sorted and filtered.`);
  }
  document.documentElement.dataset.ready = "";
});
