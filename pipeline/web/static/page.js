// What the page does beyond links and forms: live numbers, keys, colours. It works without.
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startTheme } from "./switch.js";

// Times are written in UTC; people read them in their own zone.
function localTimes(root) {
  const form = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent.trim();
    time.textContent = form.format(moment);
  }
}

// What was done is said once, and not again by a reload.
function forgetMessage() {
  const address = new URL(location.href);
  if (!address.searchParams.has("said")) return;
  address.searchParams.delete("said");
  address.searchParams.delete("n");
  history.replaceState(history.state, "", address);
}

// On a phone the pictures come first; who filters sees by what.
function closeOnPhones() {
  const box = document.querySelector("[data-closed-on-phones]");
  if (box && matchMedia("(max-width: 40rem)").matches) box.open = false;
}

localTimes(document);
closeOnPhones();
forgetMessage();
startTheme();
startKeys();
startLive(localTimes);
