// The page of a run: sorting, filters, dark mode, and the item viewer.
// Model and data text reaches the document through textContent alone, never as markup.
"use strict";

(() => {
  const PAGE = 20;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const get = (id) => document.getElementById(id);

  function stored() {
    // Storage is refused on some file:// pages; the button still works there, it only forgets.
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
      // What is missing stands last in either order.
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

  function kindWords(kind, pair, binary) {
    if (kind === "gained") return binary ? `${pair.a} wrong, ${pair.b} right` : `${pair.b} scores higher`;
    if (kind === "lost") return binary ? `${pair.a} right, ${pair.b} wrong` : `${pair.b} scores lower`;
    return { both_right: "both right, other answers", both_wrong: "both wrong, other answers" }[kind]
      ?? "same score, other answers";
  }

  function startItems() {
    const blocks = new Map([...document.querySelectorAll("script.items")].map((block) => [block.dataset.task, block]));
    if (!blocks.size) return;
    const parsed = new Map();
    const task = get("item-task"), pairs = get("item-pair"), search = get("item-search");
    const state = { data: null, pair: null, kind: "", limit: PAGE, binary: true };

    // A task's data are parsed when it is first looked at, so that opening the page stays quick.
    function load() {
      if (!parsed.has(task.value)) parsed.set(task.value, JSON.parse(blocks.get(task.value).textContent));
      state.data = parsed.get(task.value);
      pairs.replaceChildren(...state.data.pairs.map((pair, place) => {
        const option = element("option", "", `${pair.a} and ${pair.b}`);
        option.value = place;
        return option;
      }));
      // System 1 against the distilled model is what most readers come for.
      const wanted = state.data.pairs.findIndex((pair) => pair.a === "base" && pair.b === "distilled");
      pairs.value = Math.max(0, wanted);
      choose();
    }

    function choose() {
      state.pair = state.data.pairs[pairs.value];
      state.kind = "";
      state.limit = PAGE;
      state.binary = state.data.items.every((item) =>
        Object.values(item.variants).every((record) => [0, 1, null].includes(record.score)));
      draw();
    }

    function chip(kind, words, shown, total) {
      const button = element("button", "", `${words} (${shown === total ? total : `${shown} of ${total}`})`);
      button.type = "button";
      button.dataset.kind = kind;
      button.setAttribute("aria-pressed", String(state.kind === kind));
      button.addEventListener("click", () => {
        state.kind = kind;
        state.limit = PAGE;
        draw();
        get("item-kinds").querySelector('[aria-pressed="true"]').focus();
      });
      return button;
    }

    function textOf(item) {
      item.text ??= [item.id, item.prompt, item.target, ...Object.values(item.variants).flatMap((record) =>
        [record.answer, record.response, ...record.steps.map((step) => step[1])])].join("\n").toLowerCase();
      return item.text;
    }

    function draw() {
      const { pair, data } = state;
      const words = search.value.trim().toLowerCase();
      const total = Object.values(pair?.counts ?? {}).reduce((sum, count) => sum + count, 0);
      if (!pair || !total) {
        get("item-kinds").replaceChildren();
        get("item-list").replaceChildren();
        get("item-more").hidden = true;
        get("item-count").textContent = pair
          ? `${pair.a} and ${pair.b} give the same answers and scores on all ${pair.compared} items.`
          : "No two variants were compared on this task.";
        return;
      }
      const shown = (kind) => pair.shown.filter((entry) => entry[1] === kind).length;
      get("item-kinds").replaceChildren(
        chip("", "all", pair.shown.length, total),
        ...Object.entries(pair.counts).map(([kind, count]) => chip(kind, kindWords(kind, pair, state.binary), shown(kind), count)),
      );
      const fits = pair.shown.filter(([place, kind]) =>
        (!state.kind || kind === state.kind) && (!words || textOf(data.items[place]).includes(words)));
      get("item-count").textContent = `Of ${pair.compared} items, ${total} differ; on this page: ${pair.shown.length}, `
        + `of which ${fits.length} ${fits.length === 1 ? "fits" : "fit"} the filter.`;
      get("item-list").replaceChildren(...fits.slice(0, state.limit).map(([place, kind]) => card(data.items[place], kind)));
      get("item-more").hidden = fits.length <= state.limit;
    }

    function card(item, kind) {
      const { pair } = state;
      const box = element("details", "item");
      const summary = element("summary");
      summary.append(element("span", `kind ${kind}`, kindWords(kind, pair, state.binary)), element("span", "gist", item.prompt));
      const answers = [pair.a, pair.b].map((name) => item.variants[name].answer ?? "no answer");
      summary.append(element("span", "answers", answers.join(" \u2192 ")));
      box.append(summary);
      box.addEventListener("toggle", () => {
        if (box.open && box.childElementCount === 1) box.append(body(item));
      });
      return box;
    }

    function body(item) {
      const { pair } = state;
      const made = element("div", "body");
      made.append(element("h4", "", "Prompt"), element("pre", "", item.prompt));
      const expected = element("p", "answer", "Expected: ");
      expected.append(element("b", "", item.target));
      made.append(expected);
      const sides = element("div", "sides");
      sides.append(...[pair.a, pair.b].map((name) => side(name, item.variants[name], item.metric)));
      const metric = item.metric ? `, scored by ${item.metric}` : "";
      made.append(sides, element("p", "meta", `item ${item.id}, seed ${item.seed}, sample ${item.sample}${metric}`));
      return made;
    }

    function side(name, record) {
      const made = element("div");
      made.append(element("h4", "", name));
      for (const [step, text, tokens, reason] of record.steps) {
        const cut = reason && reason !== "stop" ? `, ended by ${reason}` : "";
        made.append(element("h5", "", `${step}: ${tokens ?? "?"} tokens${cut}`), element("pre", "", text));
      }
      if ("response" in record) made.append(element("h5", "", "response"), element("pre", "", record.response));
      const answer = element("p", "answer", "Answer: ");
      answer.append(element("b", "", record.answer ?? "none"));
      const score = record.score === null ? "not scored" : record.score === 1 ? "right" : record.score === 0 ? "wrong" : `score ${record.score}`;
      answer.append(` (${[score, record.failure].filter(Boolean).join(", ")})`);
      const [calls, prompt, cached, generated] = record.usage.map((count) => count ?? "?");
      made.append(answer, element("p", "meta",
        `${calls} ${calls === 1 ? "call" : "calls"}; tokens: ${generated} generated, ${prompt} prompt, ${cached} of them cached`));
      return made;
    }

    task.addEventListener("input", load);
    pairs.addEventListener("input", choose);
    search.addEventListener("input", () => { state.limit = PAGE; draw(); });
    get("item-more").addEventListener("click", () => { state.limit += PAGE; draw(); });
    // Parsing waits until the section is near.
    new IntersectionObserver((entries, observer) => {
      if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); load(); }
    }, { rootMargin: "600px" }).observe(get("items"));
  }

  if (stored()) root.dataset.theme = stored();
  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    startSorting();
    startBoard();
    startClaims();
    startItems();
  });
})();
