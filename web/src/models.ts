// The models of the comparison: how each looks, as in the plots, and which are shown.
import { el } from "./dom";

interface Look {
  color: string;
  dash: number[];
}

const looks: Look[] = [
  { color: "#0072b2", dash: [] },
  { color: "#d55e00", dash: [7, 3] },
  { color: "#009e73", dash: [2, 2] },
  { color: "#cc79a7", dash: [9, 2.5, 2, 2.5] },
  { color: "#000000", dash: [1, 2.5] },
  { color: "#e69f00", dash: [12, 3] },
  { color: "#56b4e9", dash: [5, 1.5, 1.5, 1.5, 1.5, 1.5] },
  { color: "#999999", dash: [3, 5] },
];

const plain: Look = { color: "#000000", dash: [] };

export class Models {
  private readonly off = new Set<number>();
  private readonly watchers: (() => void)[] = [];

  constructor(readonly names: string[]) {}

  name(i: number): string {
    return this.names[i] ?? "";
  }

  look(i: number): Look {
    return looks[i % looks.length] ?? plain;
  }

  shown(i: number): boolean {
    return !this.off.has(i);
  }

  // changed has a function called when other models are shown.
  changed(watcher: () => void): void {
    this.watchers.push(watcher);
  }

  private swatch(i: number): HTMLElement {
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = this.look(i).color;
    return swatch;
  }

  // key says which models a chart has, in their colours.
  key(of: number[]): HTMLElement {
    const names = of.map((i) => el("span", {}, this.swatch(i), this.name(i)));
    this.changed(() => {
      of.forEach((i, at) => { names[at]?.toggleAttribute("hidden", !this.shown(i)); });
    });
    return el("p", { class: "key" }, ...names);
  }

  // switches are a box for each model that shows it or not, with its colour: the key of
  // the charts below them, too.
  switches(): HTMLFieldSetElement {
    const boxes = this.names.map((name, i) => {
      const box = el("input", { type: "checkbox" });
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) {
          this.off.delete(i);
        } else {
          this.off.add(i);
        }
        for (const watcher of this.watchers) {
          watcher();
        }
      });
      return el("label", {}, box, this.swatch(i), name);
    });
    return el("fieldset", { class: "switches" }, el("legend", {}, "Models in the charts"), ...boxes);
  }
}
