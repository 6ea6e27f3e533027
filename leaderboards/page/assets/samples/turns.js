"use strict";
// The turns of a conversation: what was asked, what came back, and what was made of it.

{
  const { el } = selfcheck;
  const LONG = 1200; // characters; longer texts get a box of their own that scrolls

  const length = (pieces) => pieces.reduce((sum, [, text]) => sum + text.length, 0);
  const words = (pieces) => pieces.map(([, text]) => text).join("");
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  // A text of a model or a file. A long one scrolls, by keyboard too.
  const text = (pieces, kind, label) => {
    const size = length(pieces);
    if (size === 0) return el("p", { class: `text ${kind} empty` }, "nothing");
    const long = size > LONG && { tabindex: 0, role: "region", "aria-label": label };
    const classes = `text ${kind}${long ? " long" : ""}`;
    return el("div", { class: classes, dir: "auto", ...long }, selfcheck.pieces(pieces));
  };

  const label = (...told) => el("p", { class: "label" }, ...told);

  const prompt = (turn) => {
    const size = length(turn.prompt);
    const told = size > LONG ? ` (${selfcheck.count(size, "character")})` : "";
    const against = turn.against === null ? "" : `, changed against “${turn.against}”`;
    return el(
      "div",
      { class: "piece" },
      label(`prompt${told}${against}`),
      text(turn.prompt, "prompt", `prompt of ${turn.stage}`),
    );
  };

  // What was read from an answer; one that was read as it stands is not repeated.
  const reading = ({ read, answer: said }) =>
    words(read).trim() === words(said).trim()
      ? [label("read as it stands")]
      : [label("read as"), text(read, "read", "what was read")];

  const notAsked = () => el("p", { class: "missing" }, "not asked");

  // What came back, what was made of it, and what went wrong.
  const answer = (turn) => {
    const made = el("div", { class: "piece" }, label("answer"));
    made.append(text(turn.answer, "answer", `answer of ${turn.stage}`));
    if (turn.fault !== null) {
      made.append(
        el("p", { class: "fault" }, el("strong", {}, "not usable: "), selfcheck.name(turn.fault)),
      );
    }
    if (turn.read !== null) made.append(...reading(turn));
    if (turn.notes.length) {
      made.append(el("ul", { class: "notes" }, ...turn.notes.map((note) => el("li", {}, note))));
    }
    return made;
  };

  // Things of each account next to each other, under the names if there are two.
  const sides = (accounts, made) =>
    accounts.length === 1
      ? made[0]
      : el(
          "div",
          { class: "sides" },
          ...made.map((part, place) =>
            el(
              "div",
              { class: "side" },
              el("p", { class: "whose", dir: "auto" }, accounts[place].name),
              part || el("p", { class: "missing" }, "has none"),
            ),
          ),
        );

  // Turns by their stage; a stage that comes twice is told apart by how often it came.
  const byStage = (sample) => {
    const found = new Map();
    for (const turn of sample?.turns ?? []) {
      let key = turn.stage;
      for (let again = 2; found.has(key); again++) key = `${turn.stage} (${again})`;
      found.set(key, turn);
    }
    return found;
  };

  const stage = (name, accounts, turns) => {
    const there = turns.filter(Boolean);
    const made = el("section", { class: "turn" });
    made.append(
      el(
        "h4",
        {},
        el("span", { dir: "auto" }, name),
        there.some(({ asked }) => asked)
          ? el("span", { class: "to" }, `to the ${there[0].to}`)
          : null,
      ),
    );
    const asOne = accounts.length === 2 && there.length === 2 && there.every(({ asked }) => asked);
    if (asOne && same(there[0].prompt, there[1].prompt)) {
      const both = prompt(there[0]);
      both.firstChild.append(", the same to both");
      made.append(both, sides(accounts, turns.map(answer)));
    } else {
      const whole = (turn) => el("div", { class: "whole" }, prompt(turn), answer(turn));
      const part = (turn) => turn && (turn.asked ? whole(turn) : notAsked());
      made.append(sides(accounts, turns.map(part)));
    }
    return made;
  };

  const conversation = (accounts) => {
    const turns = accounts.map(({ sample }) => byStage(sample));
    const names = [...new Set(turns.flatMap((found) => [...found.keys()]))];
    return names.map((name) =>
      stage(
        name,
        accounts,
        turns.map((found) => found.get(name)),
      ),
    );
  };

  const legend = (accounts) => {
    const kinds = new Set(
      accounts.flatMap(({ sample }) =>
        (sample?.turns ?? []).flatMap((turn) => turn.prompt.map(([kind]) => kind)),
      ),
    );
    const told = [
      ["gone", "gone"],
      ["new", "new"],
      ["masked", "masked"],
    ].filter(([kind]) => kinds.has(kind));
    if (!told.length) return null;
    const marks = told.flatMap((piece) => [" ", selfcheck.pieces([piece])]);
    return el("p", { class: "marks" }, "Marked in the prompts:", ...marks);
  };

  selfcheck.turns = { text, label, words, same, sides, byStage, conversation, legend };
}
