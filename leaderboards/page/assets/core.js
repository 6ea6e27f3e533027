"use strict";
// What the other scripts share: the page's data, and how text becomes part of the page.
// Texts of models and files enter by textContent alone; nothing here or elsewhere parses HTML.

const selfcheck = { starts: [] };

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

const minus = (text) => text.replaceAll("-", "−");
selfcheck.number = (value) => (value === null ? "–" : minus(value.toFixed(3)));
selfcheck.signed = (value) =>
  value === null ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);
selfcheck.interval = (low, high) =>
  low === null || high === null ? "–" : minus(`[${low.toFixed(3)}, ${high.toFixed(3)}]`);
selfcheck.p = (value) => (value === null ? "–" : value < 0.001 ? "< 0.001" : value.toFixed(3));

// Fills a <select>; `told` are its texts, their places the values.
selfcheck.fill = (select, told, chosen = 0) => {
  select.replaceChildren(
    ...told.map((text, place) =>
      selfcheck.el("option", { value: place, selected: place === chosen }, text),
    ),
  );
};

// A script registers what it does once the board is there: selfcheck.starts.push((board) => ...).
document.addEventListener("DOMContentLoaded", async () => {
  const board = await selfcheck.block("board");
  const found = new Map();
  board.lines = board.lines.map((cells) =>
    Object.fromEntries(board.columns.map((name, place) => [name, cells[place]])),
  );
  for (const line of board.lines) found.set(`${line.model}/${line.task}/${line.metric}`, line);
  board.line = (model, task, metric) => found.get(`${model}/${task}/${metric}`) ?? null;
  for (const start of selfcheck.starts) {
    try {
      start(board);
    } catch (error) {
      console.error(error); // the other sections still work
    }
  }
  document.documentElement.dataset.ready = "";
});
