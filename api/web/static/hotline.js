// The window of a call: what is typed is stored every three seconds, numbered, and kept here while there is no network.
// The form works without it. Nothing is stored on this machine.
"use strict";
(() => {
  const form = document.querySelector("[data-call]");
  if (!form) return;
  const state = form.querySelector("[data-state]");
  const texts = form.dataset;
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const time = () => new Date().toLocaleTimeString("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit" });

  // --- the timer ---------------------------------------------------------------------------------------
  const clock = form.querySelector("[data-running]");
  if (clock) {
    const began = new Date(clock.dateTime);
    const tick = () => {
      const seconds = Math.max(0, Math.floor((Date.now() - began) / 1000));
      const two = (number) => String(number).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      clock.textContent = `${hours ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    };
    tick();
    setInterval(tick, 1000);
  }

  // Who only listens is not away: an open line keeps the session, for three hours at the most.
  if (clock) {
    setInterval(() => {
      if (Date.now() - new Date(clock.dateTime) < 3 * 3600000) fetch("/today/here").catch(() => undefined);
    }, 300000);
  }

  // --- saving ------------------------------------------------------------------------------------------
  // Fields of the other forms in this window (a look-up, a handover) go with their own button only.
  const own = new Set(["line", "channel", "caller", "type", "harm_by", "callback_ok", "confidentiality_told", "phone",
    "caller_name", "callback_time", "leave_message", "about_caller", "child_name", "child_sex", "child_age_band",
    "child_school", "child_grade", "child_county", "child_village", "topics", "strength", "hopeless", "plan", "means",
    "place_now", "alone", "used_substance", "summary", "quotes", "given", "no_handover_why", "recording_ref",
    "mood_of_operator"]);
  const dirty = new Set();
  const counter = form.querySelector("[name=sequence]");
  let sequence = Number(texts.sequence);
  let level = "";
  let busy = false;
  let leaving = false;
  const show = (text, unsaved) => {
    state.textContent = text;
    state.classList.toggle("unsaved", unsaved);
  };
  const waiting = () => dirty.size > 0 || level !== "";
  const token = () => form.querySelector("[name=csrf_token]");

  const post = (address, body) => fetch(address, {
    method: "POST", body, headers: { Accept: "application/json", "X-CSRF-Token": token().value },
    signal: AbortSignal.timeout(10000),
  });
  const fill = (body, names) => {
    const data = new FormData(form);
    for (const name of names) {
      const values = data.getAll(name);
      if (!values.length) body.append(name, "");
      for (const value of values) body.append(name, value);
    }
  };
  // Signed in again in another window: the form of this one needs the new session's token.
  const renew = async () => {
    const answer = await fetch(texts.save.replace(/\/save$/, ""), { headers: { Accept: "text/html" } });
    const found = /name="csrf_token" value="([^"]+)"/.exec(answer.ok ? await answer.text() : "");
    if (!found) return false;
    token().value = found[1];
    return true;
  };
  const mark = (chosen) => {
    for (const button of form.querySelectorAll("[name=level]")) {
      button.setAttribute("aria-pressed", String(button.value === chosen));
    }
  };
  const refuse = (refused) => {
    for (const old of form.querySelectorAll("[data-refusal]")) old.remove();
    for (const [name, text] of Object.entries(refused)) {
      const field = form.querySelector(`[name="${name}"]`);
      const line = document.createElement("p");
      line.className = "wrong";
      line.dataset.refusal = "";
      line.textContent = text;
      field?.closest(".field, fieldset")?.append(line);
    }
  };
  const took = (answer) => {
    // Another window of the same call has been faster: what stands here is sent again with a newer number.
    sequence = Math.max(sequence, answer.sequence);
    for (const name of answer.behind) dirty.add(name);
    refuse(answer.refused);
    if (!level) mark(answer.level);
    form.querySelector("[data-prompts]")?.replaceChildren();
    form.querySelector("[data-prompts]")?.insertAdjacentHTML("afterbegin", answer.prompts);
    for (const part of ["numbers", "places"]) {
      const place = form.querySelector(`[data-${part}]`);
      if (answer[part] && place && !place.contains(document.activeElement)) place.innerHTML = answer[part];
    }
    if (waiting()) show(texts.unsaved, true);
    else show(say(texts.stored, { time: time() }), false);
  };
  const save = async () => {
    if (busy || leaving || !waiting()) return;
    busy = true;
    const names = [...dirty], pressed = level, sent = ++sequence;
    dirty.clear();
    level = "";
    const back = (text) => {
      for (const name of names) dirty.add(name);
      level = level || pressed;
      show(text, true);
    };
    try {
      const body = new URLSearchParams({ sequence: String(sent) });
      fill(body, names);
      if (pressed) body.append("level", pressed);
      let answer = await post(texts.save, body);
      if (answer.status === 403 && await renew()) answer = await post(texts.save, body);
      if (answer.ok) took(await answer.json());
      else if (answer.status === 401 || answer.status === 403) back(texts.out);
      else if (answer.status === 409 || answer.status === 404) back(texts.shut);
      else back(texts.away);
    } catch {
      back(texts.away);
    }
    busy = false;
  };
  setInterval(save, 3000);

  const touched = (event) => {
    if (!own.has(event.target.name)) return;
    dirty.add(event.target.name);
    if (!state.classList.contains("unsaved")) show(texts.unsaved, true);
  };
  form.addEventListener("input", touched);
  form.addEventListener("change", touched);

  // --- buttons -----------------------------------------------------------------------------------------
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.name === "level") {
      event.preventDefault();
      level = button.value;
      mark(level);
      show(texts.unsaved, true);
      save();
    } else if (button && "saveNow" in button.dataset) {
      event.preventDefault();
      if (!waiting()) dirty.add("summary");
      save();
    } else if (button && "callSupervisor" in button.dataset) {
      event.preventDefault();
      ring();
    }
  });
  // Enter in a line is no press of a button: it stores.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    save();
  });
  const ring = async () => {
    const said = form.querySelector("[data-said]");
    try {
      const answer = await post(texts.support, new URLSearchParams());
      said.textContent = answer.ok ? (await answer.json()).said : texts.shut;
    } catch {
      said.textContent = texts.away;
    }
  };
  // Another step of this window carries the text with it, under a number newer than all before.
  form.addEventListener("submit", () => {
    leaving = true;
    counter.value = String(sequence + 1);
    setTimeout(() => { leaving = false; }, 5000);
  });
  window.addEventListener("beforeunload", (event) => {
    if (waiting() && !leaving) event.preventDefault();
  });

  // --- keys: never while an input method is composing --------------------------------------------------------
  const open = (digit) => {
    if (digit === "9") {
      form.querySelector("[data-call-supervisor]")?.click();
      return true;
    }
    const panel = form.querySelector(`[data-key="${digit}"]`);
    if (!panel) return false;
    panel.open = true;
    panel.scrollIntoView({ block: "nearest" });
    (panel.querySelector("input:not([type=hidden]), textarea") ?? panel.querySelector("summary")).focus();
    return true;
  };
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.isComposing || event.keyCode === 229) return;
    const found = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
    if (found && open(found[1])) event.preventDefault();
  });

  // --- where the address leads, and the text field of a new call -----------------------------------------------
  const led = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  if (led?.tagName === "DETAILS") led.open = true;
  else if (led?.closest("details")) led.closest("details").open = true;
  if (!led && clock && !document.querySelector("[data-focus]")) form.querySelector("#summary")?.focus();
})();
