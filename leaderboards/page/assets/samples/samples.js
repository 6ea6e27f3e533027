"use strict";
// The section of the samples: its controls and addresses, around the reader.

{
  const listen = (reader) => {
    const { controls, filters, listing } = reader;
    for (const name of ["task", "model", "other"]) {
      controls[name].addEventListener("change", async () => {
        if (await reader.load()) selfcheck.remember(reader.address());
      });
    }
    filters.listen(() => reader.filter());
    listing.listen((at) => {
      reader.open(at, true);
      selfcheck.remember(reader.address());
    });
  };

  // Reads task/model[/document[/other]]. Null: the page has no such.
  const readAddress = ({ board, tasks }, parts) => {
    const [task, model, hash = null, other = null] = parts;
    const models = board.models.length;
    const told = {
      task: tasks.indexOf(selfcheck.place(task, board.tasks.length) ?? -1),
      model: selfcheck.place(model, models),
      hash,
      other: other === null ? 0 : (selfcheck.place(other, models) ?? -2) + 1,
    };
    const known = told.task >= 0 && told.model !== null && told.other >= 0 && parts.length <= 4;
    return known && (hash === null || /^[0-9a-f]{12}$/.test(hash)) ? told : null;
  };

  // Goes where an address says. Filters that hide what it names are put back.
  const visit = (reader) => (parts) => {
    const { controls, filters } = reader;
    const told = readAddress(reader, parts);
    if (told) {
      for (const name of ["task", "model", "other"]) controls[name].value = told[name];
      filters.reset();
    } else reader.note = "The address names nothing in this page: ignored. ";
    selfcheck.arrive("samples");
    // What is above may have grown meanwhile; a document that was asked for is shown by itself.
    reader.load(told?.hash ?? null).then(() => {
      if (!told?.hash) selfcheck.arrive("samples");
    });
  };

  selfcheck.start("samples", (board) => {
    const { tasks, first } = selfcheck.offered(board, ({ shown }) => shown > 0);
    const reader = new selfcheck.Reader(board, tasks);
    const { controls, status } = reader;
    const names = board.models.map(({ name }) => name);
    selfcheck.fill(
      controls.task,
      tasks.map((task) => board.tasks[task].name),
      first,
    );
    selfcheck.fill(controls.model, names);
    selfcheck.fill(controls.other, ["nobody", ...names]);
    if (tasks.length === 0) {
      for (const control of Object.values(controls)) control.disabled = true;
      const why = `${reader.leftOut ?? "There are no tasks."} In a terminal: `;
      status.replaceChildren(why, selfcheck.command("selfcheck", "show", "RUN"));
      return;
    }
    listen(reader);
    if (!selfcheck.follow("samples", visit(reader))) reader.load();
  });
}
