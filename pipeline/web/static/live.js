// Live numbers: by server-sent events for a few running jobs, by a new look at the page for the rest.
const MOST_WATCHED = 3; // A browser opens six connections to a host, for all of its tabs.
const WATCH_EVERY_MS = 5000;
const LIST_EVERY_MS = 10000;
const number = new Intl.NumberFormat("en-US");
let localTimes = () => {};
let looking = false;

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  if (hours) return `${number.format(hours)} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(rest)} s` : `${rest} s`;
}

function write(root, selector, text) {
  const place = root.querySelector(selector);
  const inner = place?.querySelector("a") ?? place;
  if (inner && inner.textContent !== text) inner.textContent = text;
}

function show(id, job) {
  const { counts, images_per_s: rate, eta_s: left } = job;
  const root = document.querySelector(`[data-watch="${CSS.escape(id)}"]`);
  if (!root) return;
  const done = counts.succeeded + counts.failed;
  const badge = root.querySelector(".status");
  badge.textContent = job.status;
  badge.className = `status ${job.status}`;
  for (const name of ["succeeded", "failed", "pending", "cancelled"]) {
    write(root, `[data-count="${name}"]`, number.format(counts[name]));
  }
  const shownRate = rate < 100 ? rate?.toFixed(1) : number.format(Math.round(rate));
  write(root, "[data-rate]", rate === null ? "–" : shownRate);
  write(root, "[data-left]", left === null ? "–" : duration(left));
  const share = (images) => (100 * images) / Math.max(counts.total, 1);
  const bar = root.querySelector(".progress");
  bar.setAttribute("aria-valuenow", done);
  bar.setAttribute("aria-valuetext", `${number.format(done)} of ${number.format(counts.total)} images`);
  bar.querySelector('[data-share="succeeded"]').setAttribute("width", `${share(counts.succeeded)}%`);
  const failed = bar.querySelector('[data-share="failed"]');
  failed.setAttribute("x", `${share(counts.succeeded)}%`);
  failed.setAttribute("width", `${share(counts.failed)}%`);
}

// The same page again: what is fresh of it takes the place of what stands here.
async function look() {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (reply.ok) swap(new DOMParser().parseFromString(await reply.text(), "text/html"));
  } catch {
    // The server is away: what is shown stays, and the next look may find it again.
  } finally {
    looking = false;
  }
}

function swap(fresh) {
  for (const old of document.querySelectorAll("[data-fresh]")) {
    const next = fresh.getElementById(old.id);
    // Nobody is torn out of what they are reading: not the one who has the focus in it, and not
    // the one who looks at a gallery that is full.
    const held = old !== document.activeElement && old.contains(document.activeElement);
    if (!next || held || (old.id === "gallery" && !("growing" in old.dataset))) continue;
    if (old.querySelector("details[open]")) continue;
    const scrolled = old.scrollLeft;
    localTimes(next);
    if (old.id === "gallery" && keepPictures(old, next)) continue;
    const focused = old === document.activeElement;
    old.replaceWith(next);
    next.scrollLeft = scrolled;
    if (focused) next.focus();
  }
}

// A gallery grows at its end: the pictures that stand there are not fetched again.
function keepPictures(old, next) {
  const [here, there] = [old.querySelector("ul"), next.querySelector("ul")];
  if (!here || !there) return false;
  const known = new Map([...here.children].map((card) => [card.querySelector("a").href, card]));
  const cards = [...there.children].map((card) => known.get(card.querySelector("a").href) ?? card);
  here.replaceChildren(...cards);
  if (!("growing" in next.dataset)) delete old.dataset.growing;
  const pager = next.querySelector(".pager");
  old.querySelector(".pager")?.remove();
  if (pager) old.append(pager);
  return true;
}

// One stream of a job's numbers. The rest of its page costs the database more than they do, and many
// may look at one job: it is looked at again whenever twice as many images are done, and at the end.
class Watch {
  lookAt = 0;

  constructor(id) {
    this.id = id;
    this.source = new EventSource(`/api/v1/jobs/${encodeURIComponent(id)}/watch`);
    const hear = (event) => this.hear(event);
    this.source.addEventListener("progress", hear);
    this.source.addEventListener("end", hear);
  }

  hear(event) {
    const job = JSON.parse(event.data);
    const done = job.counts.succeeded + job.counts.failed;
    const hasEnded = event.type === "end";
    show(this.id, job);
    if (hasEnded) this.source.close();
    if (hasEnded || (done && done >= this.lookAt)) {
      this.lookAt = 2 * done;
      look();
    }
  }
}

const watches = new Map();

function watch() {
  const ids = [...document.querySelectorAll("[data-watch]")].map((one) => one.dataset.watch);
  for (const [id, one] of watches) {
    if (ids.includes(id) && !document.hidden && one.source.readyState !== EventSource.CLOSED) continue;
    one.source.close();
    watches.delete(id);
  }
  if (document.hidden) return;
  for (const id of ids) {
    if (watches.size >= MOST_WATCHED) return;
    if (!watches.has(id)) watches.set(id, new Watch(id));
  }
}

export function startLive(zone) {
  localTimes = zone;
  const isLive = () => document.querySelector("[data-watch], [data-live-list]");
  if (!isLive()) return;
  watch();
  document.addEventListener("visibilitychange", watch);
  addEventListener("pagehide", () => watches.forEach((one) => one.source.close()));
  addEventListener("pageshow", (event) => event.persisted && watch());
  setInterval(watch, WATCH_EVERY_MS);
  // A list is cheap, and jobs come to it that nobody here knows of.
  if (document.querySelector("[data-live-list]")) setInterval(look, LIST_EVERY_MS);
}
