"use strict";
// The choice of what is plotted. Only what the board has data for is offered.

{
  const { el, plots } = selfcheck;

  const more = (place, made, grid) => {
    const all = () => {
      place.querySelector(".plot-more").remove();
      plots.show(place.querySelector(".plot-grid"), made.figures, grid);
      const next = place.querySelectorAll("figure")[made.first];
      next.tabIndex = -1; // the button is gone: reading goes on where it stood
      next.focus({ preventScroll: true });
    };
    const told = `The first ${made.first} of ${made.figures.length} ${made.what}. `;
    const button = el("button", { type: "button", onclick: all }, "Show all");
    return el("p", { class: "plot-more" }, told, button);
  };

  const showKind = (board, place, kind, task) => {
    const made = kind.build(board, task);
    const grid = el("div", { class: `plot-grid ${kind.grid}` });
    const note = made.note ? el("p", { class: "plot-note" }, made.note) : "";
    place.replaceChildren(made.key, note, grid);
    const some = made.first ? made.figures.slice(0, made.first) : made.figures;
    plots.show(grid, some, kind.grid);
    if (some.length < made.figures.length) place.append(more(place, made, kind.grid));
  };

  const nothing = (place, selects) => {
    for (const select of selects) select.disabled = true;
    place.replaceChildren(el("p", { class: "plot-nothing" }, "There is nothing to plot."));
  };

  const start = (board, place, kindSelect, taskSelect) => {
    const offered = plots.kinds
      .map((kind) => ({ kind, offers: kind.offers(board) }))
      .filter(({ offers }) => offers.length);
    if (!offered.length) return nothing(place, [kindSelect, taskSelect]);
    let task = null;
    const offers = () => offered[kindSelect.value].offers;
    const show = () => showKind(board, place, offered[kindSelect.value].kind, task);
    // The task stays chosen where the next kind has it, too.
    const changeKind = () => {
      const kept = offers().findIndex((offer) => offer.task === task);
      selfcheck.fill(
        taskSelect,
        offers().map(({ text }) => text),
        Math.max(kept, 0),
      );
      task = offers()[Math.max(kept, 0)].task;
      show();
    };
    const changeTask = () => {
      task = offers()[taskSelect.value].task;
      show();
    };
    selfcheck.fill(
      kindSelect,
      offered.map(({ kind }) => kind.name),
    );
    kindSelect.addEventListener("change", changeKind);
    taskSelect.addEventListener("change", changeTask);
    changeKind();
  };

  selfcheck.start("plots", (board) => {
    const [place, ...selects] = ["plot-figures", "plot-kind", "plot-task"].map((id) =>
      document.getElementById(id),
    );
    if (place) start(board, place, ...selects);
  });
}
