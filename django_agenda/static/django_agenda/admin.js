// Keeps a page fresh, and zooms its timeline by dragging. Without this file every page works as well.
const root = document.querySelector(".ag[data-live]");
const box = root?.querySelector(".ag-live");
const select = box?.querySelector("select");
const stored = "django_agenda.refresh";
let tag = box?.dataset.tag ?? "";
let next = Number(box?.dataset.next ?? 0);
let fresh = performance.now();
let said = 0;
let failures = 0;
let turn = 0;
let timer;
let gone = false;
let brush = null;

async function load(always) {
  const mine = ++turn;
  clearTimeout(timer);
  const headers = tag && !always ? { "If-None-Match": tag } : {};
  try {
    const address = root.dataset.live + location.search;
    const answer = await fetch(address, { headers, cache: "no-store", redirect: "manual" });
    const text = answer.ok ? await answer.text() : "";
    if (mine !== turn) return true;
    if (answer.type === "opaqueredirect" || [403, 404].includes(answer.status)) gone = true;
    else if (!answer.ok && answer.status !== 304) throw new Error(answer.status);
    else next = Number(answer.headers.get("X-Agenda-Next"));
    if (answer.ok && (always || !isHeld())) {
      tag = answer.headers.get("ETag");
      show(text);
    }
    failures = 0;
    fresh = performance.now();
  } catch {
    if (mine !== turn) return true;
    failures += 1;
  }
  plan();
  return !failures && !gone;
}

function plan() {
  clearTimeout(timer);
  say();
  const chosen = Number(select?.value ?? 0);
  if (!chosen || !next || gone) return;
  const wait = Math.min(Math.max(chosen, next) * 2 ** Math.min(failures, 5), Math.max(chosen, 60));
  timer = setTimeout(tick, wait * 1000);
}

function tick() {
  if (document.hidden) return;
  if (!isHeld()) return load(false);
  say();
  timer = setTimeout(tick, 500);
}

// Whoever is in the middle of something keeps what is under their hands.
function isHeld() {
  const selection = getSelection();
  return Boolean(
    brush ||
      document.querySelector("dialog[open], .ag input:checked, #result_list input:checked") ||
      document.activeElement?.matches(".ag input, .ag textarea") ||
      (!selection.isCollapsed && root.contains(selection.anchorNode)),
  );
}

const nameOf = (part) => part.id || part.getAttribute("aria-labelledby") || part.className;

function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html").querySelector(".ag[data-live]");
  if (!page) throw new Error("no page");
  const before = new Map([...root.children].map((part) => [nameOf(part), part]));
  let last = box;
  for (const part of [...page.children]) {
    if (part.matches(".ag-live")) continue;
    const old = before.get(nameOf(part));
    before.delete(nameOf(part));
    if (old?.isEqualNode(part)) {
      last = old;
      continue;
    }
    const restore = old ? remember(old) : null;
    if (old) old.replaceWith(part);
    else if (last) last.after(part);
    else root.prepend(part);
    restore?.(part);
    last = part;
  }
  for (const old of before.values()) if (old !== box) old.remove();
}

function remember(part) {
  const focusable = "a, button, summary, select, [tabindex]";
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const place = [...part.querySelectorAll(focusable)].indexOf(focused);
  const same = ["data-key", "href", "id"].find((name) => focused?.hasAttribute(name));
  const value = same && focused.getAttribute(same);
  const scrolled = [...part.querySelectorAll(".ag-scroll")].map((one) => one.scrollLeft);
  const opened = [...part.querySelectorAll("details")].map((one) => one.open);
  return (now) => {
    now.querySelectorAll(".ag-scroll").forEach((one, at) => (one.scrollLeft = scrolled[at] ?? 0));
    now.querySelectorAll("details").forEach((one, at) => (one.open = opened[at] ?? one.open));
    if (!focused) return;
    const found = value && now.querySelector(`[${same}="${CSS.escape(value)}"]`);
    (found || now.querySelectorAll(focusable)[place])?.focus({ preventScroll: true });
  };
}

function say() {
  if (!box) return;
  const age = `${Math.round((performance.now() - fresh) / 1000)}`;
  const off = !Number(select.value) && "off";
  const why = (gone && "gone") || (!next && "ended") || (failures && "lost") || off || (isHeld() && "still");
  box.querySelector(".ag-live-words").textContent = why ? box.dataset[why] : box.dataset.age.replace("%s", age);
  box.dataset.state = why || "on";
  const told = box.querySelector("[role=status]");
  const words = root.querySelector(".ag-sentence")?.textContent ?? "";
  if (told.textContent !== words && (why || performance.now() - said > 30000)) {
    told.textContent = words;
    said = performance.now();
  }
}

async function go(address) {
  history.pushState(null, "", address);
  if (!(await load(true))) location.reload();
}

function shareAt(event, svg) {
  const { left, width } = svg.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - left) / width, 0), 1);
}

function begin(event) {
  const svg = event.target.closest(".ag-svg[data-lo]");
  if (!svg || event.button || !event.isPrimary) return;
  brush = { svg, from: shareAt(event, svg), to: 0, x: event.clientX, mark: null };
}

function drag(event) {
  if (!brush) return;
  if (!brush.mark) {
    if (Math.abs(event.clientX - brush.x) < 5) return;
    brush.mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    brush.mark.setAttribute("class", "ag-brush");
    brush.mark.setAttribute("height", "100%");
    brush.svg.append(brush.mark);
    brush.svg.setPointerCapture(event.pointerId);
  }
  brush.to = shareAt(event, brush.svg);
  brush.mark.setAttribute("x", `${Math.min(brush.from, brush.to) * 100}%`);
  brush.mark.setAttribute("width", `${Math.abs(brush.to - brush.from) * 100}%`);
}

function end(event) {
  const done = brush;
  brush = null;
  if (!done?.mark) return;
  done.mark.remove();
  if (event.type !== "pointerup") return;
  // The drag ends on a link as well, which is not meant.
  const swallow = (click) => click.preventDefault();
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }));
  const [lo, hi] = [Number(done.svg.dataset.lo), Number(done.svg.dataset.hi)];
  const [from, to] = [done.from, done.to].sort((a, b) => a - b).map((one) => Math.round(lo + one * (hi - lo)));
  const address = new URL(location);
  address.searchParams.delete("after");
  address.searchParams.set("from", from);
  address.searchParams.set("to", to);
  go(address);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && brush) return end(event);
  if (!event.target.closest(".ag-timeline")) return;
  const key = event.key === "=" ? "+" : event.key;
  const link = root.querySelector(`.ag-timeline a[data-key="${CSS.escape(key)}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
}

function follow(event) {
  const link = event.target.closest('a[href^="?"]');
  const other = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || other || event.defaultPrevented) return;
  event.preventDefault();
  go(link.getAttribute("href"));
}

if (root) {
  root.addEventListener("pointerdown", begin);
  root.addEventListener("pointermove", drag);
  root.addEventListener("pointerup", end);
  root.addEventListener("pointercancel", end);
  root.addEventListener("dragstart", (event) => event.target.closest(".ag-svg") && event.preventDefault());
  root.addEventListener("keydown", press);
  root.addEventListener("click", follow);
  addEventListener("popstate", () => load(true));
}
if (box) {
  box.hidden = false;
  select.value = localStorage.getItem(stored) ?? select.value;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
  select.addEventListener("change", () => {
    localStorage.setItem(stored, select.value);
    plan();
  });
  document.addEventListener("visibilitychange", () => !document.hidden && next && !gone && tick());
  setInterval(() => document.hidden || say(), 1000);
  plan();
}
