"use strict";
// What two texts side by side do: going from difference to difference, folding, passages, scrolling in step.
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const pairs = (() => {
  // The texts wait in a noscript: readable without scripts, and no work for the browser until a pair is opened.
  const fill = (pair) => {
    const stored = pair.querySelector(":scope > noscript");
    if (stored) stored.outerHTML = stored.textContent;
  };
  // A change, and a move, stands on both sides under the same number: one stop.
  const stopsOf = (pair) => {
    const stops = new Map();
    fill(pair);
    all(".text [data-s]", pair).forEach((element) => {
      const number = Number(element.dataset.s);
      stops.set(number, [...(stops.get(number) || []), element]);
    });
    return [...stops].sort(([a], [b]) => a - b).map(([, elements]) => elements);
  };
  // The next or previous difference of these pairs; beyond the last one nothing happens.
  let marked = [];
  const step = (candidates, by) => {
    let at = candidates.findIndex((pair) => marked.length && pair.contains(marked[0]));
    let stops = at < 0 ? [] : stopsOf(candidates[at]);
    let to = stops.findIndex((stop) => stop[0] === marked[0]) + (at < 0 ? 0 : by);
    if (at < 0 && by < 0) at = candidates.length;
    while (!stops[to]) {
      at += by;
      if (!candidates[at]) return;
      stops = stopsOf(candidates[at]);
      to = by > 0 ? 0 : stops.length - 1;
    }
    marked.forEach((element) => element.classList.remove("now"));
    marked = stops[to];
    const pair = candidates[at];
    pair.open = true;
    marked.forEach((element) => { element.classList.add("now"); inView(element, true); });
    pair.scrollIntoView({ block: "nearest" });
  };
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
    fill(pair);
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
  return { fill, prepare, step };
})();
