"use strict";
// "Training progress": a figure per metric, a line per series of checkpoints, the base beside them.

{
  const { plots } = selfcheck;
  const TOP = 12;
  const FOOT = 38;
  const PLACES = 6; // there are so many shapes and colours; further series share them

  // The models of a series in the order of training, by what they are checkpoints of.
  const findSeries = (board) => {
    const some = board.models.flatMap(({ series }, model) =>
      series ? [{ ...series, model }] : [],
    );
    const groups = d3.group(some, ({ of, unit }) => JSON.stringify([of, unit]));
    return [...groups.values()].map((all) => ({
      of: all[0].of,
      unit: all[0].unit,
      points: d3.sort(all, ({ at }) => at),
    }));
  };

  const known = new WeakMap();
  const seriesOf = (board) => {
    if (!known.has(board)) known.set(board, findSeries(board));
    return known.get(board);
  };

  const isLong = ({ points }) => new Set(points.map(({ at }) => at)).size > 1;
  const longUnits = (board) => [
    ...new Set(
      seriesOf(board)
        .filter(isLong)
        .map(({ unit }) => unit),
    ),
  ];

  const linesIn = (board, panel, unit) =>
    seriesOf(board)
      .filter((series) => series.unit === unit)
      .map((series, place) => ({
        of: series.of,
        shape: plots.shapes[place % PLACES],
        kind: `series-${(place % PLACES) + 1}`,
        points: series.points.flatMap(({ at, model }) => {
          const line = plots.found(board, model, panel.task, panel.metric.name);
          return line ? [{ at, line, name: board.models[model].name }] : [];
        }),
      }))
      .filter(({ points }) => points.length);

  // Axes

  const drawLevels = (stage, y, room) => {
    const ticks = plots.ticks(y, room.bottom - TOP, 42);
    const path = ticks.map(([value]) => `M${room.left},${y(value)}H${room.right}`).join("");
    stage.append("path").attr("class", "grid").attr("d", path);
    for (const [value, text] of ticks) {
      plots.text(stage, room.left - 8, y(value) + 4, "tick end", text);
    }
  };

  const drawSteps = (stage, x, room, all, unit) => {
    const steps = [...new Set(all)];
    const few = steps.length <= Math.floor((room.right - room.left) / 34);
    const ticks = few ? steps : x.ticks(5).filter(Number.isInteger);
    let last = -Infinity;
    for (const step of d3.sort(ticks)) {
      const text = d3.format(",")(step);
      const half = plots.measure(text) / 2 + 3;
      if (x(step) - half < last) continue;
      last = x(step) + half;
      plots.text(stage, x(step), room.bottom + 17, "tick middle", text);
    }
    plots.text(stage, room.right, room.bottom + 33, "axis end", `${plots.apart(unit)} →`);
  };

  // Lines

  const drawReference = (stage, y, room, { line, metric }) => {
    if (plots.hasChance(metric)) {
      const path = `M${room.left},${y(metric.chance)}H${room.right}`;
      stage.append("path").attr("class", "reference chance").attr("d", path);
    }
    if (!line) return;
    if (line.low !== null && line.high !== null) {
      const path = `M${room.left},${y(line.low)}H${room.right}V${y(line.high)}H${room.left}z`;
      stage.append("path").attr("class", "band").attr("d", path);
    }
    const path = `M${room.left},${y(line.value)}H${room.right}`;
    const base = stage.append("path").attr("class", "reference base").attr("d", path);
    base.append("title").text(plots.told("base", line));
  };

  const drawSeries = (stage, x, y, series, aside) => {
    const inside = stage.append("g").attr("class", "series");
    const across = ({ at }) => x(at) + aside;
    const path = d3.line(across, ({ line }) => y(line.value))(series.points);
    inside.append("path").attr("class", `curve ${series.kind}`).attr("d", path);
    for (const point of series.points) {
      const mark = inside.append("g").attr("class", "point");
      mark.append("title").text(plots.told(point.name, point.line));
      plots.whisker(mark, point.line, y, across(point), { upright: true, kind: series.kind });
      plots.mark(mark, across(point), y(point.line.value), series.shape, `${series.kind} full`);
    }
  };

  // Names at the ends of lines, moved apart: each at least a line's height under the one before.
  const drawNames = (stage, names, room) => {
    let last = -Infinity;
    const sorted = d3.sort(names, ({ y }) => y);
    for (const name of sorted) last = name.at = Math.max(name.y, last + 14);
    let next = room.bottom + 4;
    for (const name of sorted.reverse()) next = name.at = Math.min(name.at, next - 14);
    for (const { text, at, kind, shape } of sorted) {
      const box = { x: room.right + 20, y: at - 10, width: room.names, height: 20 };
      plots.nameBox(stage, box, text).select("text").classed(kind, true);
      if (shape) plots.mark(stage, room.right + 12, at, shape, `${kind} full`);
    }
  };

  const namesOf = (all, y, base, metric) => {
    const ends = all
      .filter(({ of }) => of)
      .map(({ of, points, ...rest }) => ({ ...rest, text: of, y: y(points.at(-1).line.value) }));
    if (base) ends.push({ text: "base", y: y(base.value), kind: "quiet" });
    if (plots.hasChance(metric)) {
      ends.push({ text: "chance", y: y(metric.chance), kind: "quiet" });
    }
    return ends;
  };

  const heightOf = (width) => Math.min(Math.max(width * 0.6, 220), 340);

  const roomOf = (width, names) => {
    const longest = Math.max(0, ...names.map(plots.measure)) + 6;
    const room = Math.min(longest, 0.28 * width);
    return { left: 38, right: width - room - 22, names: room, bottom: heightOf(width) - FOOT };
  };

  const drawProgress = (stage, width, { all, base, metric, domain, unit }) => {
    const names = [...all.map(({ of }) => of), "chance"];
    const room = roomOf(width, names);
    const steps = all.flatMap(({ points }) => points.map(({ at }) => at));
    const [first, end] = d3.extent(steps);
    const x = d3.scaleLinear().domain(first === end ? [first - 1, end + 1] : [first, end]);
    x.range([room.left + 12, room.right - 12]);
    const y = d3.scaleLinear().domain(domain).range([room.bottom, TOP]);
    drawLevels(stage, y, room);
    drawSteps(stage, x, room, steps, unit);
    drawReference(stage, y, room, { line: base, metric });
    const apart = Math.min(4, 20 / all.length); // intervals at one step stand side by side
    for (const [place, series] of all.entries()) {
      drawSeries(stage, x, y, series, (place - (all.length - 1) / 2) * apart);
    }
    const ends = namesOf(all, y, base, metric);
    const most = Math.floor(room.bottom / 14);
    drawNames(stage, ends.slice(-most), room);
  };

  // Figures

  const rowsOf = (all, base, unit, metric) => {
    const rows = all.flatMap(({ of, points }) =>
      points.map(({ name, at, line }) => [name, of, `${unit} ${at}`, ...plots.cells(line)]),
    );
    if (base) rows.push(["base", "–", "–", ...plots.cells(base)]);
    if (plots.hasChance(metric)) {
      rows.push(["chance", "–", "–", ...plots.chanceCells(metric.chance)]);
    }
    return rows;
  };

  const progressFigure = (board, panel, unit, domain) => {
    const { metric, taskName, task } = panel;
    const all = linesIn(board, panel, unit);
    const base = board.base === null ? null : plots.found(board, board.base, task, metric.name);
    const numbers = all.map(({ points }) => points.length);
    return {
      name: taskName,
      part: metric.name,
      note: plots.note(panel),
      title: `${metric.name} of ${taskName} by ${unit}`,
      about: `Points of each line: ${numbers.join(", ")}. ${base ? "With the base." : ""}`,
      heads: ["model", "series", "at", ...plots.heads],
      rows: () => rowsOf(all, base, unit, metric),
      height: heightOf,
      draw: (stage, width) => drawProgress(stage, width, { all, base, metric, domain, unit }),
    };
  };

  const progressKey = (board) => {
    const base = [{ line: "reference base", band: "band" }, "base, with its 95% interval"];
    const items = [[{ line: "whisker" }, "95% interval"]];
    return plots.key(board.base === null ? items : [base, ...items]);
  };

  const withLines = (board, task) =>
    plots
      .panels(board, task)
      .filter((panel) => longUnits(board).some((unit) => linesIn(board, panel, unit).length));

  plots.kinds.push({
    name: "Training progress",
    grid: "lines",
    offers: (board) =>
      longUnits(board).length
        ? plots.headlineOffers(board).filter(({ task }) => withLines(board, task).length)
        : [],
    build: (board, task) => {
      const panels = withLines(board, task);
      const domains = plots.domains(board, panels);
      const figures = longUnits(board).flatMap((unit) =>
        panels
          .map((panel, place) => [panel, domains[place]])
          .filter(([panel]) => linesIn(board, panel, unit).length)
          .map(([panel, domain]) => progressFigure(board, panel, unit, domain)),
      );
      return { key: progressKey(board), note: plots.taskNote(board, task), figures };
    },
  });
}
