"use strict";
// The operator's page. All data comes from the API and goes into the page as
// text, never as markup. The token stays in this tab's sessionStorage.

const $ = (id) => document.getElementById(id);
const refreshEvery = 5000; // ms
let after = ""; // where the list of deliveries goes on
let timer = 0;

function el(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) {
    if (k === "onclick") e.addEventListener("click", v);
    else e.setAttribute(k, v);
  }
  for (const c of children) if (c !== null && c !== undefined) e.append(c);
  return e;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

async function api(path, options = {}) {
  const headers = { Authorization: "Bearer " + (sessionStorage.getItem("token") || "") };
  if (options.body) headers["Content-Type"] = "application/json";
  const r = await fetch("api/v1/" + path, { ...options, headers });
  if (r.status === 401) {
    leave();
    throw new Error("The token is wrong.");
  }
  if (options.blob && r.ok) return r.blob();
  const answer = await r.json();
  if (!r.ok) throw new Error(answer.error);
  return answer;
}

const post = (path, body) => api(path, { method: "POST", body: JSON.stringify(body || {}) });

const time = (s) => new Date(s).toLocaleString();
const size = (n) => (n < 1024 ? n + " B" : n < 1 << 20 ? (n / 1024).toFixed(1) + " KiB" : n < 1 << 30 ? (n / (1 << 20)).toFixed(1) + " MiB" : (n / (1 << 30)).toFixed(1) + " GiB");

function age(from, now) {
  const s = Math.max(0, Math.round((new Date(now) - new Date(from)) / 1000));
  if (s < 90) return s + " s";
  if (s < 5400) return Math.round(s / 60) + " min";
  if (s < 172800) return (s / 3600).toFixed(1) + " h";
  return (s / 86400).toFixed(1) + " d";
}

function fill(id, rows, columns, empty) {
  $(id).replaceChildren(...(rows.length ? rows : [el("tr", { class: "empty" }, el("td", { colspan: columns }, empty))]));
}

// act does something for a button and shows what came of it.
async function act(what) {
  try {
    notice("");
    await what();
    await refresh(true);
  } catch (e) {
    notice(e.message);
  }
}

function tile(label, value, cls) {
  return el("div", { class: "tile" }, el("b", { class: cls || "" }, value), el("span", {}, label));
}

function showTiles(status, stats) {
  $("state").textContent = !status.ready ? "not ready: " + status.why : status.degraded ? "ready, but degraded: " + status.degraded : "ready";
  $("state").className = "badge " + (!status.ready ? "bad" : status.degraded ? "wait" : "good");
  if (!stats) {
    $("tiles").replaceChildren(tile("retry store", "off"));
    return;
  }
  const sum = (k) => Object.values(stats.endpoints).reduce((n, c) => n + c[k], 0);
  const dead = Object.entries(stats.dead_by_reason).filter(([, n]) => n > 0);
  $("tiles").replaceChildren(
    tile("due", sum("due"), sum("due") ? "wait" : "good"),
    tile("oldest", stats.oldest_due ? age(stats.oldest_due, status.now) : "none"),
    tile("under way", sum("leased")),
    tile("dead letters", sum("dead"), sum("dead") ? "bad" : "good"),
    tile("stored", stats.max_bytes ? size(stats.bytes) + " of " + size(stats.max_bytes) : size(stats.bytes)),
    ...dead.map(([reason, n]) => tile("dead: " + reason, n, "bad")),
  );
  options("freason", dead.map(([reason]) => reason));
}

// options sets a filter's words and keeps the one that is chosen.
function options(id, words) {
  const select = $(id);
  const chosen = select.value;
  const all = chosen && !words.includes(chosen) ? [...words, chosen] : words;
  const have = [...select.options].slice(1).map((o) => o.value);
  if (have.join("\n") === all.join("\n")) return;
  select.replaceChildren(select.options[0], ...all.map((w) => el("option", { value: w }, w)));
  select.value = chosen;
}

function breaker(e) {
  if (e.paused) return el("span", { class: "wait" }, "paused" + (e.paused_until ? " until " + time(e.paused_until) : "") + (e.why ? ": " + e.why : ""));
  const words = { closed: "working", open: "failing", "half-open": "being probed" };
  const next = e.breaker === "open" && e.next_probe ? ", next probe " + time(e.next_probe) : "";
  return el("span", { class: e.breaker === "closed" ? "good" : e.breaker === "open" ? "bad" : "wait" }, (words[e.breaker] || e.breaker) + next);
}

function showEndpoints(list, queue) {
  options("fendpoint", list.map((e) => e.name));
  fill("endpoints", list.map((e) => {
    const path = "endpoints/" + encodeURIComponent(e.name);
    const button = !queue ? null : e.paused || e.breaker === "open"
      ? el("button", { onclick: () => act(() => post(path + "/resume")) }, "Resume")
      : el("button", { onclick: () => act(() => post(path + "/pause", { why: "by the operator" })) }, "Pause");
    return el("tr", {},
      el("td", {}, e.name), el("td", {}, e.configured ? e.url : "not configured"), el("td", {}, breaker(e)),
      el("td", { class: "n" }, e.waiting.due), el("td", { class: "n" }, e.waiting.leased), el("td", { class: "n" }, e.waiting.dead),
      el("td", { class: "act" }, button));
  }), 7, "no endpoint");
}

function deliveryFilter() {
  return { state: $("fstate").value, endpoint: $("fendpoint").value, reason: $("freason").value, recipient: $("frecipient").value.trim() };
}

function why(d) {
  const last = d.last_status ? "HTTP " + d.last_status : "";
  const words = [d.reason, last, d.last_error].filter(Boolean).join(", ");
  return d.state === "due" ? (words ? words + "; " : "") + "next " + time(d.due) : words;
}

function deliveryRow(d) {
  const path = "deliveries/" + encodeURIComponent(d.id);
  const state = { due: ["due", "wait"], leased: ["under way", "wait"], dead: ["dead", "bad"] }[d.state] || [d.state, ""];
  return el("tr", {},
    el("td", {}, time(d.received)), el("td", {}, d.from || "<>"), el("td", {}, d.recipients.join(", ")), el("td", {}, d.subject || ""),
    el("td", {}, d.endpoint), el("td", { class: state[1] }, state[0]), el("td", {}, why(d)), el("td", { class: "n" }, d.attempts),
    el("td", { class: "act" },
      el("button", { onclick: () => act(() => detail(path)) }, "Show"),
      d.state === "dead" ? el("button", { onclick: () => act(() => post(path + "/replay")) }, "Replay") : null,
      d.state === "due" ? el("button", { onclick: () => act(() => post(path + "/retry")) }, "Try now") : null,
      d.state === "leased" ? null : el("button", { class: "danger", onclick: () => confirm("Delete this delivery? The message is gone then.") && act(() => api(path, { method: "DELETE" })) }, "Delete")));
}

async function showDeliveries(more) {
  const query = new URLSearchParams({ limit: "50" });
  for (const [k, v] of Object.entries(deliveryFilter())) if (v) query.set(k, v);
  if (more && after) query.set("after", after);
  const page = await api("deliveries?" + query);
  const rows = page.deliveries.map(deliveryRow);
  if (more) $("deliveries").append(...rows);
  else fill("deliveries", rows, 9, "nothing");
  after = page.next || "";
  $("more").hidden = !after;
  $("retryall").hidden = $("fstate").value !== "due" || !page.deliveries.length;
  $("replayall").hidden = $("deleteall").hidden = $("fstate").value !== "dead" || !page.deliveries.length;
}

async function detail(path) {
  const { delivery: d, attempts } = await api(path);
  const facts = { id: d.id, message: d.message_id, from: d.from || "<>", to: d.recipients.join(", "), subject: d.subject, size: size(d.size), received: time(d.received), expires: time(d.expires), state: d.state, reason: d.reason };
  const list = el("dl", {});
  for (const [k, v] of Object.entries(facts)) if (v) list.append(el("dt", {}, k), el("dd", {}, v));
  const rows = attempts.map((a) => el("tr", {}, el("td", { class: "n" }, a.n), el("td", {}, time(a.at)), el("td", {}, a.reason), el("td", { class: "n" }, a.status || ""), el("td", { class: "n" }, Math.round(a.took_ns / 1e6) + " ms"), el("td", {}, a.error || "")));
  const save = el("button", { onclick: () => act(() => download(path, d.message_id)) }, "Save the message (.eml)");
  $("detailbody").replaceChildren(list, save, el("table", {}, el("tbody", {}, ...rows)));
  if (!$("detail").open) $("detail").showModal();
}

async function download(path, name) {
  const url = URL.createObjectURL(await api(path + "/message", { blob: true }));
  const a = el("a", { href: url, download: name + ".eml" });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function showRecent({ arrivals, answers }) {
  fill("arrivals", arrivals.map((a) => el("tr", {},
    el("td", {}, time(a.at)), el("td", {}, a.from || "<>"), el("td", {}, a.recipients.join(", ")), el("td", { class: "n" }, size(a.size)),
    el("td", { class: "n " + (a.code < 300 ? "good" : a.code < 500 ? "wait" : "bad") }, a.code))), 5, "nothing since the start");
  fill("answers", answers.map((a) => el("tr", {},
    el("td", {}, time(a.at)), el("td", {}, a.endpoint + (a.queued ? " (queued)" : "")),
    el("td", { class: { delivered: "good", rejected: "bad" }[a.result] || "wait" }, a.reason), el("td", { class: "n" }, a.status || ""),
    el("td", { class: "n" }, a.took_ms + " ms"), el("td", {}, a.error || ""))), 6, "nothing since the start");
}

// refresh asks for all; the list of deliveries stays while somebody pages in it.
async function refresh(all) {
  const status = await api("status");
  const [stats, endpoints, recent] = await Promise.all([status.queue ? api("stats") : null, api("endpoints"), api("recent")]);
  showTiles(status, stats);
  showEndpoints(endpoints.endpoints, status.queue);
  showRecent(recent);
  $("queue").hidden = !status.queue;
  if (status.queue && (all || $("deliveries").rows.length <= 50)) await showDeliveries();
}

async function tick() {
  try {
    if (!document.hidden) await refresh(false);
    if (!$("notice").hidden && $("notice").dataset.auto) { notice(""); delete $("notice").dataset.auto; }
  } catch (e) {
    notice(e.message);
    $("notice").dataset.auto = "yes";
  }
  if (sessionStorage.getItem("token")) timer = setTimeout(tick, refreshEvery);
}

function enter() {
  const known = !!sessionStorage.getItem("token");
  $("enter").hidden = known;
  $("main").hidden = $("leave").hidden = !known;
  clearTimeout(timer);
  if (known) tick();
}

function leave() {
  sessionStorage.removeItem("token");
  $("state").textContent = "";
  enter();
}

$("enter").addEventListener("submit", (e) => {
  e.preventDefault();
  notice("");
  sessionStorage.setItem("token", $("token").value.trim());
  $("token").value = "";
  enter();
});
$("leave").addEventListener("click", leave);
$("more").addEventListener("click", () => showDeliveries(true).catch((e) => notice(e.message)));
for (const id of ["fstate", "fendpoint", "freason", "frecipient"]) $(id).addEventListener("change", () => showDeliveries().catch((e) => notice(e.message)));
$("retryall").addEventListener("click", () => act(() => post("retry", deliveryFilter())));
$("replayall").addEventListener("click", () => act(() => post("replay", deliveryFilter())));
$("deleteall").addEventListener("click", () => confirm("Delete all dead letters that this filter selects, on other pages too?") && act(() => post("delete", deliveryFilter())));
enter();
