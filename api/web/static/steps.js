// A long form one part at a time. Without this script all parts stand below each other and work the same.
"use strict";
(() => {
  for (const form of document.querySelectorAll("form[data-steps]")) {
    const parts = [...form.querySelectorAll("[data-step]")];
    const wrong = parts.findIndex((part) => part.querySelector(".wrong"));
    let at = wrong < 0 ? 0 : wrong;

    const answered = (part) => [...part.querySelectorAll("input[type=radio]")].filter((mark) => mark.checked);
    const asksOn = () => parts.some((part) => !("afterYes" in part.dataset) && part.querySelector(".taps")
      && answered(part).some((mark) => mark.value !== "0"));
    const asked = () => parts.filter((part) => !("afterYes" in part.dataset) || asksOn()
      || answered(part).length > 0);

    const bar = document.createElement("p");
    bar.className = "inline";
    const make = (text, style) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.className = style;
      bar.append(button);
      return button;
    };
    const back = make(form.dataset.back, "");
    const next = make(form.dataset.next, "main");
    const where = document.createElement("span");
    where.className = "faint";
    bar.append(where);
    form.append(bar);

    const show = (focus) => {
      const all = asked();
      at = Math.max(0, Math.min(at, all.length - 1));
      for (const part of parts) part.hidden = part !== all[at];
      back.hidden = at === 0;
      next.hidden = at === all.length - 1;
      where.textContent = `${at + 1} / ${all.length}`;
      if (focus) all[at].querySelector("input, textarea")?.focus();
    };
    back.addEventListener("click", () => { at -= 1; show(true); });
    next.addEventListener("click", () => { at += 1; show(true); });
    form.addEventListener("change", () => show(false));
    show(false);
  }
})();
