// Shows news without a reload, and keys for the keyboard. Every page works without this.
"use strict";

(() => {
  const sign = document.getElementById("live");
  const say = (text, is_on) => {
    if (!sign) return;
    sign.textContent = text;
    sign.classList.toggle("on", is_on);
  };

  // Fetches this page again and puts its parts in the place of those shown.
  let running = false;
  let again = false;
  let last = 0;
  async function refresh() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      const response = await fetch(location.href, { headers: { "x-refresh": "1" }, credentials: "same-origin" });
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const other = next.getElementById(part.id);
        // Somebody is about to press a button of it.
        const is_used = part.contains(document.activeElement) && document.activeElement.matches("button, input, select");
        if (other && !is_used && other.innerHTML !== part.innerHTML) {
          const row = document.activeElement.closest ? document.activeElement.closest("[data-part] a") : null;
          const href = row && row.getAttribute("href");
          part.innerHTML = other.innerHTML;
          const same = href && [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
          if (same) same.focus({ preventScroll: true });
        } else if (!other && part.id === "part-message") {
          location.reload();
        }
      }
      last = Date.now();
    } catch {
      // The next word comes with the next event.
    } finally {
      running = false;
      if (again) {
        again = false;
        later();
      }
    }
  }

  // At most once a second, and not while nobody looks.
  let timer = 0;
  function later() {
    if (timer || document.hidden) {
      again = again || document.hidden;
      return;
    }
    timer = setTimeout(() => {
      timer = 0;
      refresh();
    }, Math.max(0, 1000 - (Date.now() - last)));
  }

  const path = document.body.dataset.live;
  if (path && window.EventSource) {
    const source = new EventSource(path);
    source.addEventListener("open", () => say("live", true));
    source.addEventListener("error", () => say("reconnecting", false));
    source.addEventListener("changed", later);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) later();
    });
    window.addEventListener("pagehide", () => source.close());
  }

  // `/` searches, j and k go from row to row, g and a letter to a section.
  const sections = { q: "/", b: "/busy", d: "/dead", s: "/schedules", l: "/limits", c: "/caches", r: "/breakers", a: "/actions" };
  let went = false;
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, textarea")) return;
    if (went && sections[event.key]) {
      location.href = sections[event.key];
    } else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-row]")];
      const at = rows.indexOf(document.activeElement);
      const next = event.key === "j" ? at + 1 : at < 0 ? rows.length - 1 : at - 1;
      if (rows[next]) rows[next].focus();
    }
    went = event.key === "g";
  });
})();
