// Keys: "/" to the filter, arrows or j and k through the gallery, u up, ? for the list of them.

function cards() {
  return [...document.querySelectorAll("[data-gallery] a")];
}

function columns(all) {
  const top = all[0].getBoundingClientRect().top;
  const below = all.findIndex((card) => card.getBoundingClientRect().top > top + 1);
  return below < 0 ? all.length : below;
}

function moveInGallery(key, event) {
  const all = cards();
  const step = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 }[key] ?? 0;
  const leap = { ArrowDown: 1, ArrowUp: -1 }[key] ?? 0;
  if (!all.length || !(step || leap)) return;
  const at = all.indexOf(document.activeElement);
  // Outside of the gallery the arrows scroll, as everywhere.
  if (at < 0 && key.startsWith("Arrow")) return;
  const to = at < 0 ? 0 : at + step + leap * columns(all);
  if (!all[to]) return;
  event.preventDefault();
  all[to].focus();
  all[to].scrollIntoView({ block: "nearest" });
}

function moveBetweenPages(key) {
  const way = { j: "next", ArrowRight: "next", k: "prev", ArrowLeft: "prev" }[key];
  if (!way || cards().length) return;
  document.querySelector(`nav.actions a[rel="${way}"]`)?.click();
}

function isTyping(target) {
  return target instanceof Element && target.closest("input, select, textarea, [contenteditable]");
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      const first = document.querySelector("[data-first-filter]");
      first?.closest("details")?.setAttribute("open", "");
      first?.focus();
    } else if (event.key === "u") {
      document.querySelector("[data-up]")?.click();
    } else if (event.key === "?") {
      const keys = document.getElementById("keys");
      keys.open = !keys.open;
      keys.querySelector("summary").focus();
    } else {
      moveInGallery(event.key, event);
      moveBetweenPages(event.key);
    }
  });
}
