// Adds speed to pages that work without it: counts limits down, rings for urgent notices, hides the page at once.
"use strict";
(() => {
  const root = document.documentElement;
  const body = document.body;
  root.classList.add("scripted");

  // --- limits -----------------------------------------------------------------------------------------
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const length = (minutes) => {
    const days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24, rest = minutes % 60;
    if (days >= 3 || (days && !hours)) return say(body.dataset.days, { days });
    if (days) return say(body.dataset.daysHours, { days, hours });
    if (hours && rest) return say(body.dataset.hoursMinutes, { hours, minutes: rest });
    if (hours) return say(body.dataset.hours, { hours });
    return say(body.dataset.minutes, { minutes: rest });
  };
  const count = () => {
    for (const mark of document.querySelectorAll("[data-due]")) {
      const left = (new Date(mark.dataset.due) - new Date()) / 60000;
      const time = length(Math.ceil(Math.abs(left)));
      mark.textContent = say(left < 0 ? body.dataset.over : body.dataset.left, { time });
      mark.classList.toggle("late", left < 0);
      mark.classList.toggle("soon", left >= 0 && left <= 240);
    }
  };
  count();
  setInterval(count, 20000);

  // --- hide at once -----------------------------------------------------------------------------------
  const cover = document.querySelector("[data-cover]");
  const title = document.title;
  const hide = (hidden) => {
    cover.hidden = !hidden;
    document.title = hidden ? "…" : title;
    for (const part of document.querySelectorAll("body > header, body > main, body > footer")) part.inert = hidden;
    (hidden ? cover.querySelector("button") : document.getElementById("main")).focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) hide(cover.hidden);
  });
  document.querySelector("[data-hide-page]")?.addEventListener("click", () => hide(true));
  document.querySelector("[data-show-page]").addEventListener("click", () => hide(false));

  // --- the hotline: one press from every page. Never while an input method is composing --------------------
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.isComposing || event.keyCode === 229) return;
    const answer = document.querySelector("[data-start-call]");
    if (!answer || !/^(?:Digit|Numpad)0$/.test(event.code)) return;
    event.preventDefault();
    answer.click();
  });

  // --- a refused form: the reader is led to the words ---------------------------------------------------
  document.querySelector("[data-focus]")?.focus();

  // --- notices of the open page -------------------------------------------------------------------------
  const bells = document.querySelector("[data-bells]");
  if (bells) {
    const list = bells.querySelector("[data-bell-list]");
    const sound = bells.querySelector("[data-sound]");
    const rung = new Set();
    let audio = null;
    const tone = (at, pitch) => {
      const source = audio.createOscillator(), loud = audio.createGain();
      source.frequency.value = pitch;
      loud.gain.setValueAtTime(0.0001, at);
      loud.gain.exponentialRampToValueAtTime(0.25, at + 0.03);
      loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.5);
      source.connect(loud).connect(audio.destination);
      source.start(at);
      source.stop(at + 0.55);
    };
    const ring = async () => {
      // A browser lets no page sound before somebody has touched it: then the button asks for that touch.
      if (!navigator.userActivation?.hasBeenActive) { sound.hidden = false; return; }
      audio ??= new AudioContext();
      await audio.resume();
      sound.hidden = true;
      for (const [wait, pitch] of [[0, 660], [0.6, 880], [1.2, 660]]) tone(audio.currentTime + wait, pitch);
    };
    sound.addEventListener("click", ring);
    const look = () => {
      const marks = [...list.querySelectorAll("[data-bell]")];
      bells.hidden = marks.length === 0;
      const urgent = marks.filter((mark) => "urgent" in mark.dataset);
      const ids = urgent.flatMap((mark) => mark.dataset.bell.split(" "));
      const fresh = ids.filter((id) => !rung.has(id));
      fresh.forEach((id) => rung.add(id));
      if (cover.hidden) document.title = urgent.length ? `(${urgent.length}) ${title}` : title;
      if (fresh.length) ring();
    };
    const ask = async () => {
      try {
        const answer = await fetch(bells.dataset.bells, { headers: { Accept: "text/html" } });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok || list.contains(document.activeElement)) return;
        const open = list.querySelector("details")?.open;
        list.innerHTML = await answer.text();
        list.querySelector("details").open = open;
        look();
      } catch { /* no network now: the next look comes by itself */ }
    };
    look();
    setInterval(ask, 20000);
  }

  // --- danger that nobody has taken, on every page -----------------------------------------------------------
  const alarm = document.querySelector("[data-alarm]");
  if (alarm) {
    setInterval(async () => {
      try {
        const answer = await fetch(alarm.dataset.alarm, { headers: { Accept: "text/html" } });
        if (answer.ok) alarm.innerHTML = await answer.text();
      } catch { /* no network now: the next look comes by itself */ }
    }, 20000);
  }

  // --- a form being filled in keeps the session alive; nothing of it is stored on this machine ---------------
  let told = Date.now();
  document.addEventListener("input", (event) => {
    if (!event.target.closest("[data-keep-alive]") || Date.now() - told < 240000) return;
    told = Date.now();
    fetch("/today/here").catch(() => undefined);
  });
  // --- a long form keeps itself on the server, sealed, a few seconds after the last key; nothing stays on this machine
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const state = form.querySelector("[data-draft-state]");
    let waiting = 0, going = null;
    const keep = async (leaving) => {
      clearTimeout(waiting);
      waiting = 0;
      going?.abort();
      going = new AbortController();
      const fields = new URLSearchParams(new FormData(form));
      const token = fields.get("csrf_token");
      fields.delete("csrf_token");
      fields.delete("once"); // belongs to the press that is still to come
      try {
        const answer = await fetch(form.dataset.draft, {
          method: "POST", body: fields, headers: { "X-CSRF-Token": token }, keepalive: leaving,
          signal: going.signal, redirect: "manual",
        });
        const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
        state.textContent = answer.status === 204 ? say(state.dataset.kept, { time }) : state.dataset.lost;
      } catch (error) {
        if (error.name !== "AbortError") state.textContent = state.dataset.lost;
      }
    };
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(keep, 3000, false); });
    form.addEventListener("submit", () => { clearTimeout(waiting); waiting = 0; going?.abort(); });
    addEventListener("pagehide", () => { if (waiting) keep(true); });
  }

  // --- one press, one request ---------------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
    setTimeout(() => delete event.target.dataset.sent, 4000);
  });
})();
