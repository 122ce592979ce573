// Keying paper sheets fast: a digit answers and goes on. The form works without it.
"use strict";
(() => {
  const form = document.querySelector("[data-keying]");
  if (!form) return;
  const items = [...form.querySelectorAll("[data-item]")];
  const store = form.querySelector("[data-store]");
  const shown = form.querySelector("[data-answered]");
  const radios = (item) => [...item.querySelectorAll("input[type=radio]")];
  const field = (item) => item.querySelector("input.number");
  const touched = new WeakSet();
  const chosen = (item) => field(item) ?? radios(item).find((radio) => radio.checked) ?? radios(item)[0];
  const refusal = (item) => item.querySelector("[data-refused]");
  const answered = (item) => chosen(item).value !== "";

  const count = () => { shown.textContent = `${items.filter(answered).length} / ${items.length}`; };
  const goTo = (place) => {
    if (place >= items.length) { store.focus(); return; }
    chosen(items[Math.max(place, 0)]).focus();
  };
  const mark = () => {
    for (const item of items) item.classList.toggle("here", item.contains(document.activeElement));
  };
  const choose = (item, value) => {
    const radio = radios(item).find((each) => each.value === value);
    refusal(item).hidden = Boolean(radio);
    if (!radio) return false;
    radio.checked = true;
    touched.add(item);
    count();
    return true;
  };
  // A Chinese input method hides the digit in `key`; the place of the key on the keyboard still says it.
  const digitOf = (event) => {
    if (/^[0-9]$/.test(event.key)) return event.key;
    const found = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
    return found && !event.shiftKey ? found[1] : null;
  };

  form.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    const place = items.findIndex((item) => item.contains(event.target));
    const atStore = event.target === store;
    if (event.key === "Backspace" && (atStore || (place >= 0 && !field(items[place])))) {
      event.preventDefault();
      goTo(atStore ? items.length - 1 : place - 1);
      return;
    }
    if (place < 0) return;
    const item = items[place];
    if (event.key === "Enter") {
      event.preventDefault();
      goTo(place + 1);
      return;
    }
    if (field(item)) return;
    const digit = digitOf(event);
    if (digit !== null) {
      event.preventDefault();
      if (choose(item, digit)) goTo(place + 1);
    } else if (event.key === "-" || event.key === " ") {
      event.preventDefault();
      choose(item, "");
      goTo(place + 1);
    }
  });
  form.addEventListener("focusin", mark);
  form.addEventListener("input", (event) => {
    const item = event.target.closest("[data-item]");
    if (item) touched.add(item);
    count();
  });
  // A blank is an answer of its own: one that nobody has keyed is asked about once.
  const unsure = form.querySelector("[data-unsure]");
  form.addEventListener("submit", (event) => {
    const open = items.find((item) => "needed" in item.dataset && !answered(item) && !touched.has(item));
    if (!open || !unsure.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    unsure.hidden = false;
    chosen(open).focus();
  });
  count();
  if (!document.querySelector("[data-focus]")) goTo(0);
  else items.find((item) => item.classList.contains("bad"))?.classList.add("here");
})();
