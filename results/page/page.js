// The page of a run: sorting, filters, dark mode, and the item viewer.
// Model and data text reaches the document through textContent alone, never as markup.
"use strict";

(() => {
  const PAGE = 20;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const get = (id) => document.getElementById(id);

  function stored() {
    // Some file:// pages have no storage: there the button works, but its state is not kept.
    try { return localStorage.getItem("s2d-theme"); } catch { return null; }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }

  function startTheme() {
    const button = get("theme");
    const show = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`);
      button.setAttribute("aria-pressed", String(isDark()));
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("s2d-theme", root.dataset.theme); } catch { /* see stored() */ }
      show();
    });
    system.addEventListener("change", show);
    show();
  }

  function sortTable(table, column, order) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, place) => { row.dataset.place ??= place; });
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const compare = (one, two) => {
      if (order === "none") return one.dataset.place - two.dataset.place;
      const a = value(one), b = value(two);
      // Missing values come last in both orders.
      if (a === "" || b === "") return (a === "") - (b === "") || one.dataset.place - two.dataset.place;
      const numbers = !Number.isNaN(Number(a)) && !Number.isNaN(Number(b));
      const less = numbers ? a - b : a.localeCompare(b);
      return (order === "ascending" ? less : -less) || one.dataset.place - two.dataset.place;
    };
    body.append(...rows.sort(compare));
  }

  function startSorting() {
    for (const table of document.querySelectorAll("table.sortable")) {
      table.tHead.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (!button) return;
        const head = button.closest("th");
        const first = button.dataset.first;
        const second = first === "ascending" ? "descending" : "ascending";
        const now = head.getAttribute("aria-sort");
        const next = now === "none" ? first : now === first ? second : "none";
        for (const other of table.tHead.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        table.tBodies[0].classList.toggle("sorted", next !== "none");
        sortTable(table, head.cellIndex, next);
      });
    }
  }

  function startBoard() {
    const task = get("board-task"), find = get("board-find"), all = get("board-all");
    const apply = () => {
      let shown = 0;
      for (const row of get("board").tBodies[0].rows) {
        const fits = (!task.value || row.dataset.task === task.value)
          && row.dataset.find.includes(find.value.trim().toLowerCase())
          && (!row.classList.contains("secondary") || Boolean(all && all.checked));
        row.hidden = !fits;
        shown += fits;
      }
      get("board-empty").hidden = shown > 0;
    };
    for (const control of [task, find, all]) if (control) control.addEventListener("input", apply);
    apply();
  }

  function startClaims() {
    const task = get("claim-task"), pair = get("claim-pair"), all = get("claim-all");
    if (!task) return;
    const apply = () => {
      let shown = 0;
      for (const row of get("claim-table").tBodies[0].rows) {
        const fits = (!task.value || row.dataset.task === task.value)
          && (pair.value === "standing" ? !row.classList.contains("named") : !pair.value || row.dataset.pair === pair.value)
          && (!row.classList.contains("secondary") || Boolean(all && all.checked));
        row.hidden = !fits;
        shown += fits;
      }
      get("claim-empty").hidden = shown > 0;
    };
    for (const control of [task, pair, all]) if (control) control.addEventListener("input", apply);
    apply();
  }

  // ITEMS: items.js stands here.

  // Open all folded parts for printing.
  function startPrint() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not(.item):not([open])")];
      for (const one of opened) one.open = true;
    });
    window.addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
  }

  if (stored()) root.dataset.theme = stored();
  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    startSorting();
    startBoard();
    startClaims();
    startItems();
    startPrint();
  });
})();
