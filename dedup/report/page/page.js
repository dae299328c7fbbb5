(() => {
  // Everything can be read without this. It adds keys, sorting and searching; what a pair does is in pair.js.
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
  const step = (by) => {
    const cluster = clusters[here] || clusters.find((one) => !one.hidden);
    if (!cluster) return;
    if (here < 0) goTo(0);
    pairs.step(all(".pair", cluster), by);
  };
  // A link to a pair opens it.
  const openTarget = () => {
    const pair = document.getElementById(location.hash.slice(1));
    if (!pair || !pair.matches(".pair")) return;
    pair.open = true;
    here = clusters.indexOf(pair.closest(".cluster"));
    pair.parentNode.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  // One pair is open, so that it can be seen what the others have to show.
  const first = all(".pair").find((pair) => /^\d/.test(pair.querySelector("summary").textContent));
  if (first && !location.hash) first.open = true;
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
  const clusterOf = (row) => document.getElementById(row.querySelector("a").hash.slice(1));  // null if in another page
  let names = null;
  let most = rows.findIndex((row) => row.matches(".rest"));  // rows that are drawn at first, -1 for all
  const draw = () => {
    const wanted = search.value.toLowerCase();
    names ||= new Map(rows.map((row) => [row, `${row.querySelector(".id").textContent}\n${row.dataset.also}`.toLowerCase()]));
    let count = 0;
    for (const row of rows) {
      const found = names.get(row).includes(wanted);
      const cluster = clusterOf(row);
      count += found;
      row.hidden = !found || (most >= 0 && count > most);
      row.classList.remove("rest");
      if (cluster) cluster.hidden = !found;
    }
    document.getElementById("matching").textContent = wanted ? `${count} of ${rows.length} clusters` : "";
    if (allRows) allRows.hidden = most < 0 || count <= most;
  };
  const allRows = document.querySelector(".all-rows");
  if (allRows) {
    allRows.hidden = false;
    allRows.addEventListener("click", () => { most = -1; draw(); table.focus(); });
  }
  if (search) search.addEventListener("input", draw);
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
      if (most >= 0) draw();
      for (const cluster of rows.map(clusterOf)) if (cluster) cluster.parentNode.append(cluster);
      clusters.sort((a, b) => (a.compareDocumentPosition(b) & 4 ? -1 : 1));
    });
  });

  // --- on paper: everything, or where that were hundreds of sheets, the texts that are open
  const paper = all(".pair").length > 100;
  all(".paper").forEach((element) => { element.hidden = !paper; });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])").filter((element) => !paper || !element.matches(".pair"));
    closed.forEach((element) => { element.open = true; });
    closed.filter((element) => element.matches(".pair")).forEach(pairs.prepare);
  });
  addEventListener("afterprint", () => closed.forEach((element) => { element.open = false; }));
})();
