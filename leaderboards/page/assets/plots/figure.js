"use strict";
// What every figure has: a caption, a drawing as wide as its place, and a table of what is drawn.
// A figure is drawn when it comes near the window, and before the page is printed; until then an
// empty drawing of its height keeps the place, so that nothing jumps.

selfcheck.plots = { kinds: [] };

{
  const { el, plots } = selfcheck;
  const NEAR = "800px 0px";
  const PAPER = { rows: 345, lines: 345, squares: 260 }; // about a column of each grid in print
  const shown = new Map(); // the place of a drawing -> its figure
  let count = 0;
  let waiting = false;

  const vector = (tag, attributes = {}, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  // The size is there before the drawing is. The viewBox lets print shrink it.
  const resize = (figure) => {
    const height = Math.ceil(figure.height(figure.width));
    figure.svg.setAttribute("width", figure.width);
    figure.svg.setAttribute("height", height);
    figure.svg.setAttribute("viewBox", `0 0 ${figure.width} ${height}`);
  };

  const draw = (figure) => {
    if (!figure.width || figure.drawn === figure.width) return;
    figure.drawn = figure.width;
    resize(figure);
    figure.stage.replaceChildren();
    figure.draw(d3.select(figure.stage), figure.width);
  };

  // The font is asked for once, before anything is drawn: the answer takes a layout of the page.
  const drawAll = (figures) => {
    if (figures.length) plots.usePen(figures[0].svg);
    for (const figure of figures) draw(figure);
  };

  const catchUp = () => {
    waiting = false;
    drawAll([...shown.values()].filter(({ near }) => near));
    for (const figure of shown.values()) {
      if (!figure.near && figure.drawn !== figure.width) {
        figure.stage.replaceChildren(); // drawn for another width; again when it is near
        figure.drawn = null;
        resize(figure);
      }
    }
  };

  const later = () => {
    if (!waiting) requestAnimationFrame(catchUp);
    waiting = true;
  };

  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = shown.get(entry.target);
      if (figure) figure.width = Math.floor(entry.contentRect.width) || figure.width;
    }
    later();
  });

  const nearness = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const figure = shown.get(entry.target);
        if (figure) figure.near = entry.isIntersecting;
      }
      drawAll([...shown.values()].filter(({ near }) => near));
    },
    { rootMargin: NEAR },
  );

  // On paper columns are narrower: drawn for them, texts keep their size.
  addEventListener("beforeprint", () => {
    for (const figure of shown.values()) figure.width = figure.paper;
    drawAll([...shown.values()]);
  });

  const remeasure = () => {
    for (const [holder, figure] of shown) figure.width = Math.floor(holder.clientWidth);
  };

  addEventListener("afterprint", () => {
    remeasure();
    later();
  });

  const cell = (value, place) =>
    place === 0
      ? el("th", { scope: "row" }, el("bdi", {}, value))
      : el("td", {}, el("bdi", {}, value));

  // Built when it is opened: most tables never are.
  const valuesTable = (figure) =>
    el(
      "table",
      {},
      el("caption", { class: "plot-unseen" }, `Values of: ${figure.title}`),
      el(
        "thead",
        {},
        el("tr", {}, ...figure.heads.map((head) => el("th", { scope: "col" }, head))),
      ),
      el("tbody", {}, ...figure.rows().map((row) => el("tr", {}, ...row.map(cell)))),
    );

  const values = (figure) => {
    const about = { class: "plot-values", tabindex: 0, role: "region" };
    const place = el("div", { ...about, "aria-label": `Values of: ${figure.title}` });
    const open = ({ target }) => {
      if (target.open && !place.firstChild) place.append(valuesTable(figure));
    };
    return el("details", { ontoggle: open }, el("summary", {}, "Values"), place);
  };

  const drawing = (figure) => {
    const names = [`plot-${(count += 1)}-title`, `plot-${count}-about`];
    figure.stage = vector("g");
    figure.svg = vector(
      "svg",
      { role: "img", "aria-labelledby": names.join(" ") },
      vector("title", { id: names[0] }, figure.title),
      vector("desc", { id: names[1] }, `${figure.about} The values are in the table below.`),
      figure.stage,
    );
    return el("div", { class: "plot-drawing" }, figure.svg);
  };

  const build = (figure) => {
    const caption = el("figcaption", {}, el("strong", {}, plots.name(figure.name, 80)));
    if (figure.part) caption.append(" ", el("bdi", { class: "plot-part" }, figure.part));
    if (figure.note) caption.append(el("p", {}, figure.note));
    const place = drawing(figure);
    shown.set(place, figure);
    return el("figure", { class: "plot" }, caption, place, values(figure));
  };

  // Takes the place of what was shown. A figure is {name, part, note, title, about, heads, rows(),
  // height(width), draw(stage, width)}: name, part and note are its caption, title and about are
  // read out for the drawing, and rows() are the cells of exactly what is drawn, under the heads.
  plots.show = (place, figures, grid) => {
    sizes.disconnect();
    nearness.disconnect();
    shown.clear();
    place.replaceChildren(...figures.map(build));
    remeasure();
    for (const [holder, figure] of shown) {
      figure.paper = PAPER[grid];
      if (figure.width) resize(figure);
      sizes.observe(holder);
      nearness.observe(holder);
    }
  };
}
