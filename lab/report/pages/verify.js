"use strict";
// The page is whole without this: it filters, sorts, and shows the evidence beside the matrix.
{
  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const RANK = { failed: 0, blocked: 1, unknown: 2, passed: 3 };

  const shown = (cell) => !cell.hidden;

  // ---- filter
  const setUpFilter = (lab, table) => {
    const form = lab.querySelector("form.controls");
    const status = lab.querySelector(".status");
    const heads = [...table.querySelectorAll("th.column")];
    const groups = [...table.querySelectorAll("th.step")];
    const rows = [...table.tBodies[0].rows].map((row) => ({
      row,
      article: lab.querySelector(`details[data-of="${row.dataset.student}"]`),
      text: fold(`${row.cells[0].textContent} ${row.cells[1].textContent}`),
      cells: [...row.querySelectorAll("td.cell")],
    }));
    const columnTexts = heads.map((head) => fold(head.dataset.check));

    const show = (rowShown, columnShown) => {
      rows.forEach(({ row, article, cells }, at) => {
        row.hidden = !rowShown[at];
        article.hidden = !rowShown[at];
        cells.forEach((cell, place) => { cell.hidden = !columnShown[place]; });
      });
      heads.forEach((head, place) => { head.hidden = !columnShown[place]; });
      for (const group of groups) group.colSpan = 1;
      groups.forEach((group, place) => {
        const count = heads.filter((head) => shown(head) && Number(head.dataset.step) === place + 1).length;
        group.hidden = count === 0;
        group.colSpan = Math.max(count, 1);
      });
    };

    const filter = () => {
      const words = fold(form.elements.words.value.trim());
      const outcome = form.elements.outcome.value;
      const lacking = form.elements.lacking.checked;
      const rowHits = rows.map(({ text }) => text.includes(words));
      const columnHits = columnTexts.map((text) => text.includes(words));
      const anyRow = rowHits.some(Boolean);
      const anyColumn = columnHits.some(Boolean);
      // Words that name students narrow the rows, words that name checks the columns.
      let rowShown = rowHits.map((hit) => hit || (!anyRow && anyColumn));
      let columnShown = columnHits.map((hit) => hit || (!anyColumn && anyRow));
      if (outcome || lacking) {
        const wanted = (cell) =>
          (!outcome || cell.dataset.outcome === outcome) &&
          (!lacking || (cell.dataset.outcome !== "passed" && cell.dataset.outcome !== ""));
        rowShown = rows.map(({ cells }, at) =>
          rowShown[at] && cells.some((cell, place) => columnShown[place] && wanted(cell)));
        columnShown = columnShown.map((isShown, place) =>
          isShown && rows.some(({ cells }, at) => rowShown[at] && wanted(cells[place])));
      }
      show(rowShown, columnShown);
      const count = (flags) => flags.filter(Boolean).length;
      const values = {
        rows: count(rowShown), all_rows: rows.length,
        columns: count(columnShown), all_columns: heads.length,
      };
      status.textContent = values.rows
        ? status.dataset.shown.replace(/\{(\w+)\}/g, (_, key) => values[key])
        : status.dataset.none;
    };

    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    // The form is reset only after its listeners were told.
    form.addEventListener("reset", () => setTimeout(filter));
    form.hidden = false;
    filter();
  };

  // ---- sort
  const setUpSort = (lab, table) => {
    const collator = new Intl.Collator(lab.lang, { numeric: true, sensitivity: "base" });
    const corner = table.querySelectorAll("th.by").length;
    const heads = [...table.querySelectorAll("th.by"), ...table.querySelectorAll("th.column")];
    const valueOf = (row, place) => {
      const cell = row.cells[place];
      if (place >= corner) return RANK[cell.dataset.outcome] ?? 4;
      return cell.dataset.value ?? cell.textContent;
    };
    const sort = (place) => {
      const head = heads[place];
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = head.dataset.kind === "number"
        ? (a, b) => Number(a) - Number(b)
        : (a, b) => collator.compare(a, b);
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(valueOf(a, place), valueOf(b, place)) * (down ? -1 : 1));
      table.tBodies[0].append(...rows);
      const articles = rows.map((row) => lab.querySelector(`details[data-of="${row.dataset.student}"]`));
      lab.querySelector(".students").append(...articles);
    };
    heads.forEach((head, place) => {
      head.querySelector("button").addEventListener("click", () => sort(place));
    });
  };

  // ---- evidence beside the matrix
  const setUpEvidence = (lab, table) => {
    const dialog = lab.querySelector("dialog");
    const open = (target) => {
      const copy = target.cloneNode(true);
      for (const part of [copy, ...copy.querySelectorAll("[id]")]) part.removeAttribute("id");
      const list = document.createElement("ul");
      list.className = "checks";
      if (copy.matches("li")) list.append(copy);
      dialog.querySelector("h2").textContent = target.closest("details").dataset.name;
      dialog.querySelector(".evidence").replaceChildren(copy.matches("li") ? list : copy);
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
    };
    const follow = (event) => {
      const link = event.target.closest("a[href^='#']");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const target = document.getElementById(link.getAttribute("href").slice(1));
      if (!target) return;
      event.preventDefault();
      open(target);
    };
    table.addEventListener("click", follow);
    dialog.addEventListener("click", (event) => {
      // What is clicked outside of the dialog's box is the dialog itself.
      if (event.target === dialog || event.target.closest(".close")) dialog.close();
      else follow(event);
    });
    table.addEventListener("mouseover", (event) => {
      const cell = event.target.closest("td.cell");
      if (!cell || cell.title) return;
      const place = [...cell.parentElement.querySelectorAll("td.cell")].indexOf(cell);
      const head = table.querySelectorAll("th.column")[place];
      cell.title = `${cell.parentElement.cells[0].textContent}: ${head.querySelector("button").title}`;
    });
  };

  // ---- one stop for the tab key, arrows within
  const setUpKeys = (table) => {
    const linkOf = (cell) => cell && cell.querySelector("a");
    const links = table.tBodies[0].querySelectorAll("a");
    links.forEach((link, place) => { link.tabIndex = place ? -1 : 0; });
    table.tBodies[0].addEventListener("focusin", (event) => {
      for (const link of table.tBodies[0].querySelectorAll("a[tabindex='0']")) link.tabIndex = -1;
      if (event.target.matches("a")) event.target.tabIndex = 0;
    });
    const beside = (cell, way) => {
      let next = cell;
      do next = way > 0 ? next.nextElementSibling : next.previousElementSibling;
      while (next && !(shown(next) && linkOf(next)));
      return next;
    };
    const below = (cell, way) => {
      let row = cell.parentElement;
      do row = way > 0 ? row.nextElementSibling : row.previousElementSibling;
      while (row && !(shown(row) && linkOf(row.cells[cell.cellIndex])));
      return row && row.cells[cell.cellIndex];
    };
    const MOVES = {
      ArrowRight: (cell) => beside(cell, 1), ArrowLeft: (cell) => beside(cell, -1),
      ArrowDown: (cell) => below(cell, 1), ArrowUp: (cell) => below(cell, -1),
    };
    table.tBodies[0].addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      const cell = event.target.closest("th, td");
      if (!move || !cell) return;
      event.preventDefault();
      linkOf(move(cell))?.focus();
    });
  };

  for (const lab of document.querySelectorAll("section.lab")) {
    const table = lab.querySelector("table.matrix");
    if (!table) continue;
    setUpFilter(lab, table);
    setUpSort(lab, table);
    setUpEvidence(lab, table);
    setUpKeys(table);
  }

  // ---- on paper everything is open
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}
