"use strict";
// Which numbers a figure shows: a metric of a task, over the models.

{
  const { plots } = selfcheck;
  const valued = new WeakMap(); // a board -> the metrics that have a value, as task/metric

  const valuedOf = (board) => {
    if (!valued.has(board)) {
      const some = board.lines.filter((line) => line.value !== null);
      valued.set(board, new Set(some.map((line) => `${line.task}/${line.metric}`)));
    }
    return valued.get(board);
  };

  // A line that has a value, or null.
  plots.found = (board, model, task, metric) => {
    const line = board.line(model, task, metric);
    return line && line.value !== null ? line : null;
  };

  plots.hasValue = (board, task, metric) => valuedOf(board).has(`${task}/${metric}`);

  // The headlines of all tasks (task null), or every metric of one; only what has a value.
  plots.panels = (board, task) => {
    const all = board.tasks.flatMap(({ name, metrics, headline, held_against }, place) => {
      const some = task === null ? metrics.filter((metric) => metric.name === headline) : metrics;
      const heldAgainst = task === null ? held_against : null; // else it is told once, by taskNote
      return some.map((metric) => ({ task: place, taskName: name, metric, heldAgainst }));
    });
    return all.filter(
      (panel) =>
        (task === null || panel.task === task) &&
        plots.hasValue(board, panel.task, panel.metric.name),
    );
  };

  // The lines of a panel, one per model; null where there is no value.
  plots.linesOf = (board, panel) =>
    board.models.map((_, model) => plots.found(board, model, panel.task, panel.metric.name));

  const sentences = (told) =>
    told
      .filter(Boolean)
      .map((text) => text.replace(/[.\s]*$/, "."))
      .join(" ");

  plots.hasChance = ({ chance }) => chance !== null && chance !== undefined;

  // What a figure of a panel shows, in words.
  plots.note = ({ metric, heldAgainst }) =>
    sentences([
      metric.meaning,
      metric.over && `Over: ${metric.over}`,
      plots.hasChance(metric) && `Chance: ${plots.number(metric.chance)}`,
      heldAgainst && `Control: ${heldAgainst}`,
      metric.rises === false && "Lower is better",
    ]);

  // What holds for all figures of a task.
  plots.taskNote = (board, task) => {
    if (task === null) return null;
    const { name, held_against, rank_note } = board.tasks[task];
    return sentences([
      held_against && `Control of ${plots.apart(name)}: ${held_against}`,
      rank_note && `Not ranked: ${rank_note}`,
    ]);
  };

  // What a choice of task offers first: every headline.
  plots.headlineOffers = (board) => {
    const tasks = board.tasks.map((_, task) => task);
    const some = tasks.filter((task) => plots.panels(board, task).length);
    const first = plots.panels(board, null).length
      ? [{ task: null, text: "headline metrics of all tasks" }]
      : [];
    return [...first, ...some.map((task) => ({ task, text: board.tasks[task].name }))];
  };

  // One scale for all figures whose values are shares; a scale of its own for any other.
  plots.domains = (board, panels) => {
    const lines = panels.map((panel) => plots.linesOf(board, panel).filter(Boolean));
    const chances = panels.map((panel) => panel.metric.chance ?? 0);
    const isShare = lines.map(plots.isShare);
    const shares = lines.flatMap((some, place) => (isShare[place] ? some : []));
    const shared = plots.domain(
      shares,
      chances.filter((_, place) => isShare[place]),
    );
    return lines.map((some, place) =>
      isShare[place] ? shared : plots.domain(some, [chances[place]]),
    );
  };
}
