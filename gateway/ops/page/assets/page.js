"use strict";
// Keeps an open view up to date: when the server says that something changed,
// the view is asked for again and what differs in it is put in place. What has
// the focus, or is being chosen in, stays as it is.

const busy = (e) => e.contains(document.activeElement) || e.querySelector("details[open]");
let asked = false;

async function refresh() {
  if (asked || document.hidden) return;
  asked = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/signin") return location.reload();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (now && now.outerHTML !== old.outerHTML && !busy(old)) old.replaceWith(document.adoptNode(now));
    }
  } catch {
    // The server is away; the stream comes back when it does.
  } finally {
    asked = false;
  }
}

if (document.querySelector("[data-live]")) {
  new EventSource("/events").addEventListener("change", refresh);
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, 15000); // ages and "next in" go on by themselves
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
