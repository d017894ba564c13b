/**
 * Loads a page's module again when it did not come: a network that fails for a moment would leave the page dead. It
 * stands before the module in the page, so it runs first. Where this file does not come either, the page says so itself
 * (`.late` in style.css).
 */

const PAUSES_MS = [500, 2_000, 5_000, 10_000, 15_000];

let tried = 0;
addEventListener(
  "error",
  (event) => {
    const script = event.target;
    if (!(script instanceof HTMLScriptElement) || script.type !== "module") return;
    const pause = PAUSES_MS[Math.min(tried, PAUSES_MS.length - 1)]!;
    tried += 1;
    setTimeout(() => {
      const next = document.createElement("script");
      next.type = "module";
      // A browser keeps the failure of a module by its address.
      const address = new URL(script.src);
      address.searchParams.set("again", String(tried));
      next.src = address.href;
      script.replaceWith(next);
    }, pause);
  },
  // Such an event is not passed up.
  true,
);
