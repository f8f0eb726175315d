// The distribution of latencies, to read at any time and at any share.
import uPlot from "uplot";

import type { Latency } from "./data";
import { el, fill, inner } from "./dom";
import type { Models } from "./models";
import { logTick, millis, number } from "./numbers";

const font = '11px system-ui, "Liberation Sans", Arial, sans-serif';
const least = 1e-3; // ms: a logarithmic axis has no zero

export class Latencies {
  readonly root = el("div", { class: "interactive" });
  private readonly box = el("div", { class: "chart card" });
  private readonly said = el("output", { class: "said" });
  private readonly plot: uPlot;

  constructor(
    private readonly all: Latency[],
    private readonly models: Models,
  ) {
    const times = [...new Set(all.flatMap((l) => l.points.map(([ms]) => Math.max(ms, least))))].sort((a, b) => a - b);
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    this.plot = new uPlot(
      {
        width: 600,
        height: 320,
        legend: { show: false },
        padding: [8, 16, 0, 0],
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- logarithmic; the enumeration exists for types only
        scales: { x: { time: false, distr: 3 }, y: { range: [0, 100] } },
        series: [
          {},
          ...all.map((l): uPlot.Series => {
            const { color, dash } = models.look(l.model);
            return { stroke: color, width: 2, dash, points: { show: false }, ...(stepped === undefined ? {} : { paths: stepped }) };
          }),
        ],
        axes: [
          { font, values: (_, splits) => splits.map((x) => (logTick(x) ? millis(x) : "")), label: "time from due to finished, logarithmic", labelFont: font, labelSize: 16 },
          { font, size: 44, values: (_, splits) => splits.map((x) => `${x} %`), label: "share of jobs", labelFont: font, labelSize: 16 },
        ],
        cursor: { drag: { x: true, y: false } },
        hooks: { setCursor: [(u) => { this.point(u); }] },
      },
      [times, ...all.map((l) => times.map((t) => 100 * shareAt(l, t)))],
      this.box,
    );
    this.plot.root.setAttribute("aria-hidden", "true"); // the slider tells what it shows

    const slider = el("input", { type: "range", min: "1", max: "100", step: "0.1", value: "95" });
    const told = () => {
      const share = Number(slider.value);
      const text = this.within(share);
      slider.setAttribute("aria-valuetext", text);
      fill(this.said, text);
    };
    slider.addEventListener("input", told);
    this.root.append(el("label", { class: "slider" }, "Share of jobs", slider), this.said, models.key(all.map((l) => l.model)), this.box);
    models.changed(() => {
      all.forEach((l, i) => { this.plot.setSeries(i + 1, { show: models.shown(l.model) }); });
      told();
    });
    told();
  }

  fit(): void {
    const width = inner(this.box);
    if (width > 0) {
      this.plot.setSize({ width, height: this.plot.height });
    }
  }

  private each(say: (l: Latency) => string): string {
    return this.all
      .filter((l) => this.models.shown(l.model))
      .map((l) => `${this.models.name(l.model)} ${say(l)}`)
      .join(", ");
  }

  private within(share: number): string {
    return `${share} % of jobs within: ` + this.each((l) => millis(l.points.find(([, s]) => 100 * s >= share - 1e-9)?.[0] ?? l.points.at(-1)?.[0] ?? 0));
  }

  private point(u: uPlot): void {
    const { left = -1 } = u.cursor;
    if (left >= 0) {
      const ms = u.posToVal(left, "x");
      fill(this.said, `Within ${millis(ms)}: ` + this.each((l) => number(100 * shareAt(l, ms)) + " %"));
    }
  }
}

// shareAt is the share of a model's jobs that took at most so long.
function shareAt(l: Latency, ms: number): number {
  let share = 0;
  for (const [at, s] of l.points) {
    if (at > ms) {
      break;
    }
    share = s;
  }
  return share;
}
