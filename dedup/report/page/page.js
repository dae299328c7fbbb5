"use strict";
(() => {
  // Everything can be read without this. It adds keys, sorting, searching, folding and scrolling in step.
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const clusters = all(".cluster");
  all(".search, .keys").forEach((element) => { element.hidden = false; });

  // --- keys: j and k between clusters, n and p between differences, / to the search
  let here = -1;
  const goTo = (at) => {
    const shown = clusters.filter((cluster) => !cluster.hidden);
    if (!shown.length) return;
    const now = shown.indexOf(clusters[here]);
    const next = shown[Math.max(0, Math.min(shown.length - 1, now < 0 ? 0 : now + at))];
    clusters.forEach((cluster) => cluster.classList.toggle("here", cluster === next));
    here = clusters.indexOf(next);
    next.scrollIntoView({ block: "start" });
    next.focus({ preventScroll: true });
  };
  let marked = [];
  const step = (by) => {
    const cluster = clusters[here] || clusters.find((one) => !one.hidden);
    if (!cluster) return;
    if (here < 0) goTo(0);
    let pair = marked.length && cluster.contains(marked[0]) ? marked[0].closest(".pair") : null;
    const pairs = all(".pair", cluster).filter((one) => one.querySelector(".text [data-s]"));
    if (!pairs.length) return;
    const stops = pairs.flatMap((one) => stopsOf(one));
    const at = pair ? stops.findIndex((stop) => stop[0] === marked[0]) : -1;
    const to = at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.max(0, Math.min(stops.length - 1, at + by));
    marked.forEach((element) => element.classList.remove("now"));
    marked = stops[to];
    marked[0].closest(".pair").open = true;
    marked.forEach((element) => { element.classList.add("now"); inView(element, true); });
    marked[0].closest(".pair").scrollIntoView({ block: "nearest" });
  };
  // A change, and a move, stands on both sides under the same number: one stop.
  const stopsOf = (pair) => {
    const stops = new Map();
    all(".text [data-s]", pair).forEach((element) => {
      const number = Number(element.dataset.s);
      stops.set(number, [...(stops.get(number) || []), element]);
    });
    return [...stops].sort(([a], [b]) => a - b).map(([, elements]) => elements);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input[type=search]");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = { j: () => goTo(1), k: () => goTo(-1), n: () => step(1), p: () => step(-1), "/": () => search && search.focus() }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // --- the table: search and sort
  const search = document.getElementById("search");
  const table = document.getElementById("table");
  const rows = table ? [...table.tBodies[0].rows] : [];
  const names = new Map(clusters.map((cluster) => [cluster.id, all(".id", cluster).map((id) => id.textContent).join("\n").toLowerCase()]));
  const filter = () => {
    const wanted = search.value.toLowerCase();
    let count = 0;
    for (const row of rows) {
      const id = row.querySelector("a").hash.slice(1);
      const shown = names.get(id).includes(wanted);
      row.hidden = document.getElementById(id).hidden = !shown;
      count += shown;
    }
    document.getElementById("matching").textContent = wanted ? `${count} of ${rows.length} clusters` : "";
  };
  if (search) search.addEventListener("input", filter);
  const value = (row, at) => {
    const text = row.cells[at].textContent;
    return row.cells[at].matches(".num") ? Number(text.replaceAll(",", "")) || 0 : text;
  };
  if (table) all("thead th", table).forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = head.matches(".num") && at ? "descending" : "ascending";
      const way = head.ariaSort === first ? (first === "ascending" ? "descending" : "ascending") : first;
      all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.ariaSort = way;
      const sign = way === "ascending" ? 1 : -1;
      rows.sort((a, b) => { const x = value(a, at), y = value(b, at); return sign * (x < y ? -1 : x > y ? 1 : 0); });
      table.tBodies[0].append(...rows);
      for (const row of rows) {
        const cluster = document.getElementById(row.querySelector("a").hash.slice(1));
        cluster.parentNode.append(cluster);
      }
      clusters.sort((a, b) => (a.compareDocumentPosition(b) & 4 ? -1 : 1));
    });
  });

  // --- a pair: folding, passages, scrolling in step
  const quiet = new Map();  // texts that we scroll ourselves, until when
  const inView = (element, centre) => {
    const fold = element.closest(".fold");
    if (fold) fold.classList.remove("shut");
    const text = element.closest(".text");
    quiet.set(text, performance.now() + 150);
    const top = element.getBoundingClientRect().top - text.getBoundingClientRect().top + text.scrollTop;
    text.scrollTop = top - (centre ? text.clientHeight / 3 : 0);
  };
  const other = (link) => document.getElementById(link.hash.slice(1));
  const prepare = (pair) => {
    if (pair.dataset.ready) return;
    pair.dataset.ready = "yes";
    all(".fold", pair).forEach((fold) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "unfold";
      button.dataset.w = fold.dataset.w;
      button.setAttribute("aria-label", `${fold.dataset.w}: show or fold`);
      button.setAttribute("aria-expanded", "false");
      fold.classList.add("shut");
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        const shut = fold.classList.toggle("shut");
        const twin = other(fold.closest(".p").querySelector(".n")).parentNode.querySelector(".fold");
        twin.classList.toggle("shut", shut);  // both sides, so that they stay in step
        [fold, twin].forEach((one) => one.previousElementSibling.setAttribute("aria-expanded", String(!shut)));
      });
      fold.before(button);
    });
    const texts = all(".text", pair);
    const links = texts.map((text) => all(".p > .n", text));
    texts.forEach((text, side) => text.addEventListener("scroll", () => {
      if ((quiet.get(text) || 0) > performance.now()) return;
      const top = text.getBoundingClientRect().top;
      // The first shared passage that is not above the view leads; a hidden link has no place, its passage has.
      const lead = links[side].find((link) => link.parentNode.getBoundingClientRect().bottom > top + 1);
      if (!lead) return;
      const twin = other(lead).parentNode;
      const there = twin.closest(".text");
      quiet.set(there, performance.now() + 150);
      const offset = lead.parentNode.getBoundingClientRect().top - top;
      there.scrollTop += twin.getBoundingClientRect().top - there.getBoundingClientRect().top - offset;
    }, { passive: true }));
  };
  document.addEventListener("toggle", (event) => {
    if (event.target.matches(".pair") && event.target.open) prepare(event.target);
  }, true);
  document.addEventListener("click", (event) => {
    const passage = event.target.closest(".text :is(.p, .m)");
    if (!passage) return;
    const link = passage.querySelector(":scope > .n");
    const shared = document.getElementById("view-passages").checked || passage.matches(".m");
    if (!shared || !link || String(getSelection())) return;
    event.preventDefault();
    const twin = other(link).parentNode;
    inView(twin, true);
    all(".flash").forEach((element) => element.classList.remove("flash"));
    [passage, twin].forEach((element) => element.classList.add("flash"));
    if (event.target === link) other(link).focus({ preventScroll: true });
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((element) => { element.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((element) => { element.open = false; }));
})();
