"use strict";
// "Intervals": a figure per metric, a row per model.

{
  const { plots } = selfcheck;

  const intervalRow = (board, model, line) => {
    const [base, change] = [model === board.base, plots.change(line)];
    const { name } = board.models[model];
    const mark = { line, shape: base ? "diamond" : "circle", kind: base ? "base" : change };
    return { name, base, line, change, marks: [mark], told: plots.told(name, line) };
  };

  const sayHighest = (board, lines) => {
    const some = lines.flatMap((line, model) => (line ? [{ line, model }] : []));
    const say = ({ line, model }) =>
      `${selfcheck.number(line.value)} (${plots.apart(board.models[model].name)})`;
    const [low, high] = [d3.least, d3.greatest].map((of) => of(some, ({ line }) => line.value));
    return `${selfcheck.count(some.length, "model")} with a value, from ${say(low)} to ${say(high)}.`;
  };

  const intervalRows = (board, order, lines, metric) => {
    const rows = order.map((model) => {
      const change = plots.change(lines[model]);
      const told = change === "none" ? "–" : change;
      return [board.models[model].name, ...plots.cells(lines[model]), told];
    });
    const isDrawn = plots.hasChance(metric);
    return isDrawn ? [...rows, ["chance", ...plots.chanceCells(metric.chance), "–"]] : rows;
  };

  const intervalFigure = (board, panel, domain) => {
    const lines = plots.linesOf(board, panel);
    const { metric, taskName } = panel;
    const base = board.base === null ? null : lines[board.base];
    const order = plots.baseFirst(board);
    return plots.rowsFigure({
      name: taskName,
      part: metric.name,
      note: plots.note(panel),
      title: `${metric.name} of ${taskName}: 95% intervals of the models`,
      about: `A row per model. ${sayHighest(board, lines)}`,
      heads: ["model", ...plots.heads, "change"],
      rows: () => intervalRows(board, order, lines, metric),
      domain,
      lanes: 1,
      references: [
        { value: base?.value, kind: "base", text: "base" },
        { value: metric.chance, kind: "chance", text: "chance" },
      ],
      drawn: order.map((model) => intervalRow(board, model, lines[model])),
    });
  };

  const intervalKey = (board) => {
    const drawn = (kind, arrow) => ({ shape: "circle", kind, arrow: kind !== "none" && arrow });
    const used = board.base === null ? [] : plots.changes(board, drawn);
    const base = [{ shape: "diamond", kind: "base", line: "whisker" }, "base, the dashed line"];
    const bar = [{ line: "whisker" }, "95% interval"];
    return plots.key([...(board.base === null ? [] : [base]), ...used, bar]);
  };

  plots.kinds.push({
    name: "Intervals",
    grid: "rows",
    offers: plots.headlineOffers,
    build: (board, task) => {
      const panels = plots.panels(board, task);
      const domains = plots.domains(board, panels);
      const figures = panels.map((panel, place) => intervalFigure(board, panel, domains[place]));
      return { key: intervalKey(board), note: plots.taskNote(board, task), figures };
    },
  });
}
