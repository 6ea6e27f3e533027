"use strict";
// "Faithfulness and control": a square per check, a point per model and task.

{
  const { plots } = selfcheck;

  const controlled = (board, task) =>
    board.tasks.flatMap(({ name, check, metrics }, place) =>
      metrics
        .filter(({ control }) => control && (task === null || place === task))
        .filter((metric) =>
          [metric.name, metric.control].every((m) => plots.hasValue(board, place, m)),
        )
        .map((metric) => ({ task: place, taskName: name, check, metric })),
    );

  // Few models have a shape and a colour each, hollow or filled; of many only the base stands out.
  const isFew = (board) => board.models.length <= 2 * plots.shapes.length;

  const markOf = (board, model) => {
    if (model === board.base) return { shape: "diamond", kind: "base" };
    if (!isFew(board)) return { shape: "circle", kind: "none" };
    const before = board.base !== null && board.base < model ? 1 : 0;
    const [full, place] = [model - before >= 6, (model - before) % 6];
    return { shape: plots.shapes[place], kind: `series-${place + 1}${full ? " full" : ""}` };
  };

  const controlPoints = (board, group) =>
    group.flatMap(({ task, taskName, metric }, place) =>
      board.models.flatMap(({ name }, model) => {
        const x = plots.found(board, model, task, metric.control);
        const y = plots.found(board, model, task, metric.name);
        if (!x || !y) return [];
        const said = [plots.told(metric.name, y), plots.told(metric.control, x)].join("\n");
        const number = group.length > 1 ? String(place + 1) : "";
        const row = [name, taskName, ...plots.cells(x).slice(0, 3), ...plots.cells(y)];
        return [
          { x, y, ...markOf(board, model), number, row, told: `${name}\n${taskName}\n${said}` },
        ];
      }),
    );

  // The numbers of the tasks; of many points only what they are.
  const noteOf = (group, points) => {
    const tasks = group.map(({ taskName }, place) => `${place + 1}\u00a0${taskName}`);
    if (plots.isDense(points)) return `${selfcheck.count(points.length, "point")}; their intervals are not drawn.`;
    return group.length > 1 ? tasks.join(" · ") : "";
  };

  const controlFigure = (board, group) => {
    const points = controlPoints(board, group);
    const [{ check, metric }] = group;
    const above = points.filter(({ x, y }) => y.value > x.value).length;
    return plots.squareFigure({
      name: group.length > 1 ? check : group[0].taskName,
      part: `${metric.name} and ${metric.control}`,
      note: noteOf(group, points),
      title: `${check}: ${metric.name} against its control, ${metric.control}`,
      about: `${selfcheck.count(points.length, "point")}, ${above} above the diagonal: lift above 0.`,
      heads: ["model", "task", metric.control, "its interval", "its n", ...plots.heads],
      rows: () => points.map(({ row }) => row),
      points,
      domain: plots.domain(points.flatMap(({ x, y }) => [x, y]), [0, 1]),
      across: metric.control === "control" ? "control" : `${metric.control} (control)`,
      up: metric.name,
      above: "above the line: lift > 0",
    });
  };

  const controlKey = (board) => {
    const few = isFew(board);
    const some = board.models
      .map(({ name }, model) => [
        markOf(board, model),
        model === board.base ? `base: ${name}` : name,
      ])
      .filter(([{ kind }]) => kind !== "none" && (few || kind === "base"));
    const others = [{ shape: "circle", kind: "none" }, "any other model"];
    return plots.key(few ? some : [...some, others]);
  };

  plots.kinds.push({
    name: "Faithfulness and control",
    grid: "squares",
    offers: (board) => {
      const tasks = [...new Set(controlled(board, null).map(({ task }) => task))];
      const each = tasks.map((task) => ({ task, text: board.tasks[task].name }));
      return each.length > 1 ? [{ task: null, text: "all checks with a control" }, ...each] : each;
    },
    build: (board, task) => {
      const key = ({ check, metric }) => JSON.stringify([check, metric.name, metric.control]);
      const groups = [...d3.group(controlled(board, task), key).values()];
      const figures = groups.map((group) => controlFigure(board, group));
      return { key: controlKey(board), figures };
    },
  });
}
