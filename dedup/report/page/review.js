(() => {
  const by = (id) => document.getElementById(id);
  const said = by("said");
  const choices = { kept: by("keep-a"), dropped: by("keep-b"), both: by("keep-both") };
  let token = "";
  let shown = null;  // the pair that is shown, as the server told it; null at the end
  let state = null;
  let busy = true;   // one thing at a time: no key decides about a pair that isn't on the screen
  let over = false;
  let inWords = matchMedia("(min-width: 64rem) and (min-height: 56rem)").matches;  // the digest, open or not

  // --- the server: a token in a header that only this page sends, never in an address that is logged
  const ask = async (method, path, fields) => {
    let answer;
    try {
      answer = await fetch(path, {
        method, headers: { "X-Dedup-Token": token, ...(fields ? { "Content-Type": "application/json" } : {}) },
        body: fields ? JSON.stringify(fields) : undefined, credentials: "omit", redirect: "error", cache: "no-store",
      });
    } catch {
      ended("The review has stopped. What was decided is saved; start it again to go on.");
      return null;
    }
    const content = await answer.json();
    if (answer.ok) return content;
    trouble(content.error);
    return answer.status === 409 ? content : null;
  };
  const trouble = (words) => {
    by("trouble").hidden = !words;
    by("trouble").textContent = words || "";
  };
  const ended = (words) => {
    over = true;
    trouble(words);
    document.body.classList.add("over");
    all("header button, footer button, .go").forEach((button) => { button.disabled = true; });
  };

  // --- what is shown
  const show = (content) => {
    state = content;
    by("meter").setAttribute("aria-valuemax", content.total);
    by("meter").setAttribute("aria-valuenow", content.decided);
    by("meter").firstElementChild.style.width = `${content.total ? (100 * content.decided) / content.total : 0}%`;
    said.textContent = `${content.decided.toLocaleString("en")} of ${content.total.toLocaleString("en")} decided`;
    document.title = `${said.textContent} – review`;
    by("open").disabled = content.first === null;
  };
  const showPair = (content) => {
    const same = shown && shown.at === content.at;
    shown = content;
    show(content);
    by("place").textContent = `pair ${(content.at + 1).toLocaleString("en")} of ${content.total.toLocaleString("en")}`;
    if (!same) {
      by("pair").innerHTML = content.texts;  // escaped by the server; the policy of this page runs no other script
      pairs.prepare(by("pair").querySelector(".pair"));
      const digest = by("pair").querySelector(".digest");
      if (digest) {
        digest.open = inWords;
        digest.addEventListener("toggle", () => { inWords = digest.open; });
      }
      by("main").scrollTop = 0;
      by("about").focus({ preventScroll: true });
    }
    by("follows").innerHTML = content.follows;
    for (const [stays, button] of Object.entries(choices)) {
      button.disabled = false;
      button.setAttribute("aria-pressed", String(content.stays === stays));
    }
    by("pair").dataset.stays = content.stays || "";
    by("previous").disabled = content.at === 0;
    by("next").disabled = content.at === content.total - 1;
    if (content.next !== null && content.next !== content.at) {  // made ready ahead; what goes wrong is said when it is shown
      fetch(`pair/${content.next}`, { headers: { "X-Dedup-Token": token }, credentials: "omit" }).catch(() => {});
    }
  };
  const showEnd = () => {
    shown = null;
    by("pair").innerHTML = state.end;
    by("follows").replaceChildren();
    by("place").textContent = "the end";
    Object.values(choices).forEach((button) => {
      button.disabled = true;
      button.setAttribute("aria-pressed", "false");
    });
    by("previous").disabled = by("next").disabled = state.total === 0;
    by("about").focus({ preventScroll: true });
  };

  // --- what can be done
  const alone = (act) => async (...values) => {
    if (busy || over) return;
    busy = true;
    document.body.setAttribute("aria-busy", "true");
    try { await act(...values); } finally {
      busy = false;
      document.body.removeAttribute("aria-busy");
    }
  };
  const load = async (at) => {
    const content = await ask("GET", `pair/${at}`);
    if (content) showPair(content);
    return content;
  };
  const go = alone(async (at) => { trouble(""); await load(at); });
  const decide = alone(async (stays) => {
    if (!shown) return;
    trouble("");
    const here = shown.at;
    const answer = await ask("POST", "decide", { at: here, stays });
    if (!answer) return;
    if (answer.error) { await load(here); return; }
    show(answer);
    if (answer.next === null) showEnd();
    else await load(answer.next);
  });
  const undo = alone(async () => {
    trouble("");
    const answer = await ask("POST", "undo", {});
    if (!answer) return;
    if (answer.error) { if (shown) await load(shown.at); return; }
    if (answer.at === null) { said.textContent = "nothing to undo"; return; }
    await load(answer.at);
  });
  const finish = alone(async () => {
    const answer = await ask("POST", "finish", {});
    if (!answer) return;
    show(answer);
    showEnd();
    ended("");
    by("pair").querySelector("h2").textContent += ". The review has ended; this page can be closed.";
  });
  const next = () => { if (shown && shown.at < shown.total - 1) go(shown.at + 1); else if (!shown && state && state.total) go(0); };
  const previous = () => { if (shown && shown.at > 0) go(shown.at - 1); else if (!shown && state && state.total) go(state.total - 1); };
  const open = () => {
    const at = shown && shown.next !== null ? shown.next : state && state.first;
    if (at !== null && at !== undefined) go(at);
  };
  const view = () => {
    const other = by("view-passages").checked ? "view-differences" : "view-passages";
    by(other).checked = true;
  };
  const step = (way) => { const pair = by("pair").querySelector(".pair"); if (pair) pairs.step([pair], way); };
  const help = () => {
    by("help").open = !by("help").open;
    if (by("help").open) by("help").scrollIntoView({ block: "end" });
  };

  const keys = {
    a: () => decide("kept"), b: () => decide("dropped"), c: () => decide("both"), u: undo,
    j: next, k: previous, i: open, n: () => step(1), p: () => step(-1), v: view, "?": help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || over) return;
    const act = keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    if (!(event.repeat && "abcu".includes(event.key.toLowerCase()))) act();  // a key held down decides once
  });
  for (const [stays, button] of Object.entries(choices)) button.addEventListener("click", () => decide(stays));
  for (const [id, act] of Object.entries({ undo, next, previous, open, finish })) by(id).addEventListener("click", () => act());
  by("follows").addEventListener("click", (event) => {
    const button = event.target.closest(".go");
    if (button) go(Number(button.dataset.at));
  });

  // --- the beginning: the address brings the token behind its #, which is never sent; then it leaves the address
  const begin = async () => {
    const [kind, given] = location.hash.slice(1).split("=");
    history.replaceState(null, "", location.pathname);
    token = given || sessionStorage.getItem("token") || "";
    if (kind === "once") {
      const answer = await ask("POST", "enter", {});
      token = answer ? answer.token : sessionStorage.getItem("token") || "";
      if (!answer) { ended(by("trouble").textContent); return; }
    }
    const content = await ask("GET", "state");
    if (!content) { ended(by("trouble").textContent); return; }
    sessionStorage.setItem("token", token);
    show(content);
    if (content.first === null) showEnd();
    else await load(content.first);
  };
  begin().finally(() => { busy = false; });
})();
