// The script of report.html. It adds to a page that can be read without it; in a worker,
// the same script is the simulator.
import { type Data, textOf } from "./data";
import { Lanes } from "./lanes";
import { Latencies } from "./latency";
import { Models } from "./models";
import { WhatIfs } from "./whatif";
import { serve } from "./worker";

interface Fitted {
  fit(): void;
}

// place puts what can be zoomed before the picture of a plot, which stays for print.
function place<T extends Fitted & { readonly root: HTMLElement }>(plot: string, make: () => T): T | undefined {
  const figure = document.querySelector(`figure[data-plot="${plot}"]`);
  const picture = figure?.querySelector(".scroll");
  if (figure === null || picture === null || picture === undefined) {
    return undefined;
  }
  const made = make();
  picture.before(made.root);
  picture.classList.add("still");
  figure.classList.add("moving");
  return made;
}

function show(script: string): void {
  const data = JSON.parse(textOf("page-data")) as Data;
  const models = new Models(data.models);
  const made: (Fitted | undefined)[] = [];
  const pictures = document.getElementById("pictures");
  const { life_cycle: life, latency } = data;
  if (life !== undefined && life.panels.length > 0) {
    made.push(place("lifecycle", () => new Lanes(life, models)));
  }
  if (latency !== undefined && latency.length > 0) {
    made.push(place("latency", () => new Latencies(latency, models)));
  }
  const app = document.getElementById("whatif-app");
  const simulator = textOf("simulator");
  if (data.what_if !== undefined && app !== null && simulator !== "") {
    app.before(models.switches());
    made.push(new WhatIfs(app, data.what_if, models, script, simulator, data.simulated));
  } else if (made.length > 0) {
    pictures?.after(models.switches());
  }
  const fit = () => {
    for (const m of made) {
      m?.fit();
    }
  };
  new ResizeObserver(fit).observe(document.body);
  fit();
  document.documentElement.classList.add("scripted");
}

if (typeof document === "undefined") {
  serve();
} else {
  show(document.currentScript?.textContent ?? "");
}

