"use strict";
// "Consistency, blind and shuffled": per task, a row per model with up to three marks on one axis.

{
  const { plots } = selfcheck;

  const GUESSES = [
    { metric: "consistency", shape: "circle", kind: "series-1 full" },
    { metric: "shuffled", shape: "up", kind: "series-2" },
    { metric: "blind", shape: "times", kind: "series-3" },
  ];

  const guessesOf = (board, task) =>
    GUESSES.filter(({ metric }) => plots.hasValue(board, task, metric));

  const guessRow = (board, model, task, guesses) => {
    const { name } = board.models[model];
    const marks = guesses.map(({ metric, shape, kind }) => ({
      line: plots.found(board, model, task, metric),
      metric,
      shape,
      kind,
    }));
    const told = marks.map(({ line, metric }) => plots.told(metric, line)).join("\n");
    const line = marks.find(({ metric }) => metric === "consistency")?.line ?? null;
    const change = plots.change(line);
    return { name, base: model === board.base, line, change, marks, told: `${name}\n${told}` };
  };

  const guessTable = (drawn) =>
    drawn.flatMap(({ name, marks }) =>
      marks.map(({ line, metric }) => [name, metric, ...plots.cells(line)]),
    );

  const guessFigure = (board, task) => {
    const guesses = guessesOf(board, task);
    const drawn = plots.baseFirst(board).map((model) => guessRow(board, model, task, guesses));
    const names = guesses.map(({ metric }) => metric);
    const lines = drawn.flatMap(({ marks }) => marks.map(({ line }) => line).filter(Boolean));
    return plots.rowsFigure({
      name: board.tasks[task].name,
      part: names.join(", "),
      note: "Value and n are those of consistency.",
      title: `${names.join(", ")} of ${board.tasks[task].name}, per model`,
      about: `A row per model, with a mark and a 95% interval for each of: ${names.join(", ")}.`,
      heads: ["model", "metric", ...plots.heads],
      rows: () => guessTable(drawn),
      domain: plots.domain(lines),
      lanes: guesses.length,
      references: [],
      drawn,
    });
  };

  const guessKey = (shown) => {
    const meaning = {
      consistency: "consistency: predicted from the model's own explanation",
      shuffled: "shuffled: from another question's explanation",
      blind: "blind: from no explanation",
    };
    const some = GUESSES.filter(({ metric }) => shown.some((guess) => guess.metric === metric));
    return plots.key(
      some.map(({ metric, shape, kind }) => [
        { shape, kind, line: `whisker ${kind}` },
        meaning[metric],
      ]),
    );
  };

  plots.kinds.push({
    name: "Consistency, blind and shuffled",
    grid: "rows",
    offers: (board) => {
      const tasks = board.tasks
        .map((told, task) => ({ task, text: told.name, check: told.check }))
        .filter(({ task, check }) => check === "consistency" && guessesOf(board, task).length);
      return tasks.length > 1 ? [{ task: null, text: "all consistency tasks" }, ...tasks] : tasks;
    },
    build: (board, task) => {
      const all = board.tasks.map((_, place) => place);
      const some = all.filter(
        (place) =>
          board.tasks[place].check === "consistency" &&
          (task === null || place === task) &&
          guessesOf(board, place).length,
      );
      return {
        key: guessKey(some.flatMap((place) => guessesOf(board, place))),
        figures: some.map((place) => guessFigure(board, place)),
      };
    },
  });
}
