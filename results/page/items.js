  // The item viewer: build.py inserts it into page.js. It compares any two variants; texts that are not on the page
  // come from chunks beside it.

  const KINDS = ["gained", "lost", "both_right", "both_wrong", "same_score", "agree_wrong", "agree_right", "agree_score"];
  const RANK = { gained: 0, lost: 0, both_right: 1, both_wrong: 1, same_score: 1, agree_wrong: 2, agree_right: 2, agree_score: 2 };

  function kindWords(kind, a, b, binary) {
    if (kind === "gained") return binary ? `${a} wrong, ${b} right` : `${b} scores higher`;
    if (kind === "lost") return binary ? `${a} right, ${b} wrong` : `${b} scores lower`;
    return {
      both_right: "both right, other answers", both_wrong: "both wrong, other answers", same_score: "same score, other answers",
      agree_right: "both right, same answer", agree_wrong: "both wrong, same answer", agree_score: "same score, same answer",
      differ: "they differ", agree: "they agree", "": "all",
    }[kind];
  }

  // The rule of kind_of in items.py, for the item with this number.
  function kindOf(index, a, b, number) {
    const left = index.score[a][number], right = index.score[b][number];
    if (left !== null && right !== null && left !== right) return right > left ? "gained" : "lost";
    const same = index.answer[a][number] === index.answer[b][number];
    const end = left === 1 ? "right" : left === 0 ? "wrong" : "score";
    if (same) return `agree_${end}`;
    return end === "score" ? "same_score" : `both_${end}`;
  }

  function startItems() {
    const blocks = new Map([...document.querySelectorAll("script.items")].map((block) => [block.dataset.task, block]));
    if (!blocks.size) return;
    const parsed = new Map(), waiting = new Map();
    const task = get("item-task"), first = get("item-a"), second = get("item-b"), search = get("item-search");
    const state = { data: null, kinds: [], order: [], counts: {}, kind: "differ", limit: PAGE, binary: true, linked: null, drawn: 0 };

    // Chunks are scripts that call this, because a page from a disk may load nothing else.
    window.s2dItems = (name, text) => {
      const heard = waiting.get(name);
      if (heard) heard.items = JSON.parse(text);
    };

    function chunkOf(number) {
      const { starts } = state.data;
      if (number < state.data.items.length) return -1;
      let low = 0, high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle] <= number) low = middle; else high = middle - 1;
      }
      return low;
    }

    function loadChunk(data, chunk) {
      const name = data.chunks[chunk];
      if (!waiting.has(name)) {
        const entry = { items: null };
        entry.done = new Promise((resolve) => {
          const script = document.createElement("script");
          script.src = `leaderboard_items/${name}`;
          script.addEventListener("load", resolve);
          script.addEventListener("error", resolve);
          document.head.append(script);
        });
        waiting.set(name, entry);
      }
      return waiting.get(name).done;
    }

    // The texts of an item: on the page, in a chunk that was loaded, or null.
    function textsOf(number) {
      const { data } = state, chunk = chunkOf(number);
      if (chunk < 0) return data.items[number];
      return waiting.get(data.chunks[chunk])?.items?.[number - data.starts[chunk]] ?? null;
    }

    const asked = (number) => { const chunk = chunkOf(number); return chunk < 0 || waiting.has(state.data.chunks[chunk]); };

    // A task's data are parsed when it is first looked at.
    function load(wanted) {
      if (!parsed.has(task.value)) parsed.set(task.value, JSON.parse(blocks.get(task.value).textContent));
      const data = state.data = parsed.get(task.value);
      const options = () => data.variants.map((name, place) => {
        const option = element("option", "", name);
        option.value = place;
        return option;
      });
      first.replaceChildren(...options());
      second.replaceChildren(...options());
      // Most readers want to compare System 1 with the distilled model.
      const pair = wanted ?? data.pairs.find(([a, b]) => a === "base" && b === "distilled") ?? data.pairs[0] ?? data.variants;
      const place = (name, other) => { const at = data.variants.indexOf(name); return at < 0 ? other : at; };
      first.value = place(pair[0], 0);
      second.value = place(pair[1], Math.min(1, data.variants.length - 1));
      choose();
    }

    function choose() {
      const { data } = state, a = Number(first.value), b = Number(second.value), { index } = data;
      state.names = [data.variants[a], data.variants[b]];
      state.kinds = index.id.map((_, number) => index.answer[a][number] < 0 || index.answer[b][number] < 0 ? null : kindOf(index, a, b, number));
      state.order = state.kinds.map((_, number) => number).filter((number) => state.kinds[number] !== null)
        .sort((one, two) => RANK[state.kinds[one]] - RANK[state.kinds[two]] || one - two);
      state.counts = {};
      for (const number of state.order) state.counts[state.kinds[number]] = (state.counts[state.kinds[number]] ?? 0) + 1;
      state.binary = [a, b].every((side) => index.score[side].every((score) => [0, 1, null].includes(score)));
      const sum = (kinds) => kinds.reduce((total, kind) => total + (state.counts[kind] ?? 0), 0);
      state.counts.agree = sum(KINDS.slice(5));
      state.counts.differ = sum(KINDS.slice(0, 5));
      state.counts[""] = state.order.length;
      state.kind = state.counts.differ ? "differ" : "";
      state.limit = PAGE;
      state.linked = null;
      draw();
    }

    function chip(kind) {
      const button = element("button", "", `${kindWords(kind, ...state.names, state.binary)} (${state.counts[kind]})`);
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

    function wordsOf(number) {
      const item = textsOf(number);
      if (!item) return null;
      item.words ??= [state.data.index.id[number], item.prompt, item.target, ...Object.values(item.variants).flatMap((record) =>
        [record.answer, record.response, ...record.steps.map((step) => step[1])])].join("\n").toLowerCase();
      return item.words;
    }

    const fitsKind = (kind) => !state.kind || kind === state.kind
      || (state.kind === "agree" && kind.startsWith("agree")) || (state.kind === "differ" && !kind.startsWith("agree"));

    function draw() {
      const { data } = state, drawing = ++state.drawn;
      const words = search.value.trim().toLowerCase();
      get("item-kinds").replaceChildren(...["", "differ", "agree", ...KINDS].filter((kind) => state.counts[kind]).map(chip));
      let fits = state.order.filter((number) => fitsKind(state.kinds[number]));
      let unread = 0;
      if (words) {
        unread = fits.filter((number) => !textsOf(number)).length;
        fits = fits.filter((number) => (wordsOf(number) ?? "").includes(words));
      }
      if (state.linked !== null) fits = [state.linked, ...fits.filter((number) => number !== state.linked)];
      const shown = fits.slice(0, state.limit);
      get("item-count").textContent = data.variants.length < 2 ? "The task has one variant." :
        `${state.order.length} items, ${state.counts.differ} on which the two differ; ${fits.length} ${fits.length === 1 ? "fits" : "fit"} the filter.`
        + (unread ? ` The texts of ${unread} more are not loaded and were not searched.` : "");
      const all = get("item-all");
      all.hidden = !unread;
      const missing = [...new Set(shown.filter((number) => !asked(number)).map(chunkOf))];
      if (missing.length) {
        Promise.all(missing.map((chunk) => loadChunk(data, chunk))).then(() => { if (state.drawn === drawing) draw(); });
      }
      get("item-list").replaceChildren(...shown.map(card));
      get("item-more").hidden = fits.length <= state.limit;
      if (state.linked !== null) {
        const card = get("item-list").firstElementChild;
        card.open = true;
        if (!missing.length) card.scrollIntoView({ block: "start" });
      }
    }

    function address(number) {
      const { index } = state.data;
      const parts = { task: task.value, a: state.names[0], b: state.names[1], id: index.id[number], seed: index.seed[number], sample: index.sample[number] };
      return `#item?${new URLSearchParams(parts)}`;
    }

    function card(number) {
      const item = textsOf(number), kind = state.kinds[number];
      const box = element("details", "item");
      box.dataset.number = number;
      const summary = element("summary");
      const gist = item ? item.prompt : asked(number) && waiting.get(state.data.chunks[chunkOf(number)]).items === null
        ? `item ${state.data.index.id[number]}: its texts are in leaderboard_items/ beside this page, or in samples/` : "…";
      summary.append(element("span", `kind ${kind}`, kindWords(kind, ...state.names, state.binary)), element("span", "gist", gist));
      if (item) {
        const answers = state.names.map((name) => item.variants[name].answer ?? "no answer");
        summary.append(element("span", "answers", answers.join(" \u2192 ")));
      }
      box.append(summary);
      box.addEventListener("toggle", () => {
        if (box.open && box.childElementCount === 1 && item) box.append(body(item, number));
      });
      return box;
    }

    function body(item, number) {
      const made = element("div", "body"), { index } = state.data;
      made.append(element("h4", "", "Prompt"), element("pre", "", item.prompt));
      const expected = element("p", "answer", "Expected: ");
      expected.append(element("b", "", item.target));
      made.append(expected);
      const sides = element("div", "sides");
      sides.append(...state.names.map((name) => side(name, item.variants[name])));
      const metric = item.metric ? `, scored by ${item.metric}` : "";
      const meta = element("p", "meta", `item ${index.id[number]}, seed ${index.seed[number]}, sample ${index.sample[number]}${metric}. `);
      const link = element("a", "", "Link to this item");
      link.href = address(number);
      meta.append(link);
      made.append(sides, meta);
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

    // An address such as #item?task=gsm8k&a=base&b=s2&id=...&seed=0&sample=0 opens that item.
    function follow() {
      if (!location.hash.startsWith("#item?")) return false;
      const asked = new URLSearchParams(location.hash.slice(6));
      if (!blocks.has(asked.get("task"))) return false;
      task.value = asked.get("task");
      load([asked.get("a"), asked.get("b")]);
      const { index } = state.data;
      const number = state.order.find((at) => index.id[at] === asked.get("id")
        && String(index.seed[at]) === (asked.get("seed") ?? "0") && String(index.sample[at]) === (asked.get("sample") ?? "0"));
      if (number === undefined) return false;
      state.linked = number;
      state.kind = "";
      draw();
      return true;
    }

    function step(by) {
      const list = get("item-list");
      const cards = [...list.children], at = cards.findIndex((card) => card.open);
      if (by > 0 && at === cards.length - 1 && !get("item-more").hidden) { state.limit += PAGE; draw(); list.children[at].open = false; }
      const next = list.children[at < 0 ? 0 : at + by];
      if (!next) return;
      for (const card of list.children) card.open = card === next;
      next.querySelector("summary").focus({ preventScroll: true });
      next.scrollIntoView({ block: "start" });
      if (textsOf(Number(next.dataset.number))) history.replaceState(null, "", address(Number(next.dataset.number)));
    }

    document.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
      const by = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
      // The arrows scroll tables, so they step only from an item.
      if (!by || (event.key.startsWith("Arrow") && !event.target.closest("#items"))) return;
      event.preventDefault();
      step(by);
    });
    task.addEventListener("input", () => load());
    for (const control of [first, second]) control.addEventListener("input", choose);
    search.addEventListener("input", () => { state.limit = PAGE; draw(); });
    get("item-more").addEventListener("click", () => { state.limit += PAGE; draw(); });
    get("item-all").addEventListener("click", () => {
      Promise.all(state.data.chunks.map((_, chunk) => loadChunk(state.data, chunk))).then(draw);
    });
    window.addEventListener("hashchange", follow);
    // After the first paint, so that opening the page stays quick.
    setTimeout(() => { if (!follow()) load(); }, 0);
  }
