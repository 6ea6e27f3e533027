"use strict";
// "Base and checkpoint": a square per checkpoint, a point per metric.

{
  const { el, plots } = selfcheck;
  const FIRST = 12; // so many checkpoints are shown until all are asked for

  // What most names start with, as far as the first "_", tells little.
  const shorten = (names) => {
    const starts = d3.rollup(
      names,
      (same) => same.length,
      (name) => name.split("_")[0],
    );
    return names.map((name) => {
      const [start, ...rest] = name.split("_");
      const common = names.length > 1 && starts.get(start) > names.length / 2;
      return rest.length && common ? rest.join("_") : name;
    });
  };

  const numberKey = (texts) =>
    el("ol", { class: "plot-numbers" }, ...texts.map((text) => el("li", {}, plots.name(text, 64))));

  const basePoints = (board, panels, labels, model) =>
    panels.flatMap(({ task, taskName, metric }, place) => {
      const x = plots.found(board, board.base, task, metric.name);
      const y = plots.found(board, model, task, metric.name);
      if (!x || !y) return [];
      const change = plots.change(y);
      const told = `${taskName}, ${metric.name}\n${plots.told("base", x)}\n`;
      const checkpoint = plots.told(board.models[model].name, y);
      const mark = { shape: plots.shapeOf(y), kind: change, label: labels[place] };
      return [{ x, y, ...mark, number: String(place + 1), told: told + checkpoint, place }];
    });

  const baseRows = (points, panels) =>
    points.map(({ x, y, place }) => {
      const { taskName, metric } = panels[place];
      return [`${taskName}: ${metric.name}`, ...plots.cells(x).slice(0, 3), ...plots.cells(y)];
    });

  // By their numbers and names, the metrics of points that are better when lower.
  const sayLower = (points, panels) => {
    const lower = points.filter(({ place }) => panels[place].metric.rises === false);
    const told = lower.map(({ number, label }) => `${number}\u00a0${plots.apart(label)}`);
    return told.length ? `Lower is better: ${told.join(" · ")}.` : "";
  };

  const baseFigure = (board, { model, points }, panels, domain) => {
    const [name, base] = [board.models[model].name, board.models[board.base].name];
    const above = points.filter(({ x, y }) => y.value > x.value).length;
    return plots.squareFigure({
      name,
      title: `${plots.apart(name)} against the base, ${plots.apart(base)}`,
      note: sayLower(points, panels),
      about: `${selfcheck.count(points.length, "point")}, ${above} above the diagonal: higher than the base.`,
      heads: ["metric", "base", "its interval", "its n", ...plots.heads],
      rows: () => baseRows(points, panels),
      points,
      domain,
      across: `base: ${base}`,
      up: "checkpoint",
      above: "",
    });
  };

  const baseKey = (board, panels, task) => {
    const used = plots.changes(board, (kind, shape) => ({ shape, kind }));
    const texts = panels.map(({ taskName, metric }) =>
      task === null ? `${taskName}: ${metric.name}` : metric.name,
    );
    const lines = [
      [{ line: "whisker thin" }, "95% intervals"],
      [{ line: "diagonal" }, "no difference"],
    ];
    return el("div", {}, plots.key([...used, ...lines]), numberKey(texts));
  };

  // What the base and some other model have, on the one scale of all squares.
  const isDrawable = (board, panel) => {
    const lines = plots.linesOf(board, panel);
    const some = lines.filter(Boolean);
    return Boolean(lines[board.base]) && some.length > 1 && plots.isShare(some);
  };

  const drawable = (board, task) =>
    plots.panels(board, task).filter((panel) => isDrawable(board, panel));

  const leftOut = (metrics, models) => {
    const told = [];
    if (metrics) {
      told.push(`metrics outside of −1 to 1, or without values to compare: ${metrics}`);
    }
    if (models) told.push(`models that have none of the base's metrics: ${models}`);
    return told.length ? `Left out: ${told.join("; ")}.` : null;
  };

  const buildBase = (board, task) => {
    const panels = drawable(board, task);
    const told = panels.map((panel) => (task === null ? panel.taskName : panel.metric.name));
    const labels = task === null ? shorten(told) : told;
    const lines = panels.flatMap((panel) => plots.linesOf(board, panel).filter(Boolean));
    const others = board.models.map((_, model) => model).filter((model) => model !== board.base);
    const domain = plots.domain(lines);
    const all = others.map((model) => ({
      model,
      points: basePoints(board, panels, labels, model),
    }));
    const some = all.filter(({ points }) => points.length);
    const figures = some.map((shown) => baseFigure(board, shown, panels, domain));
    const metrics = plots.panels(board, task).length - panels.length;
    const note = leftOut(metrics, all.length - some.length);
    return { key: baseKey(board, panels, task), figures, note, first: FIRST, what: "checkpoints" };
  };

  plots.kinds.push({
    name: "Base and checkpoint",
    grid: "squares",
    offers: (board) =>
      board.base === null || board.models.length < 2
        ? []
        : plots.headlineOffers(board).filter(({ task }) => drawable(board, task).length),
    build: buildBase,
  });
}
