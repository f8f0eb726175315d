// The life cycles of processes, to zoom and to read block by block.
import uPlot from "uplot";

import type { LifeBlock, LifeCycle, LifeModel } from "./data";
import { button, el, fill, inner } from "./dom";
import type { Models } from "./models";
import { millis } from "./numbers";

const pitch = 20; // CSS pixels between lanes
const labels = 64;
const font = '11px system-ui, "Liberation Sans", Arial, sans-serif';

// Lanes draws a chart for each model; all show the same time.
export class Lanes {
  readonly root = el("div", { class: "interactive lanes" });
  private readonly charts: Lane[] = [];
  private from = 0;
  private to = 1;
  private readonly first: number;
  private readonly last: number;

  constructor(
    private readonly life: LifeCycle,
    models: Models,
  ) {
    const panels = life.panels;
    this.first = Math.min(0, ...panels.map((p) => p.begin));
    this.last = Math.max(1e-3, ...panels.map((p) => p.end));
    const said = el("output", { class: "said" }, "Point at a block, or choose a chart and press n for its next one.");
    this.root.append(
      el(
        "div",
        { class: "buttons", role: "group", "aria-label": "What the life cycles show" },
        button("Zoom in", () => { this.zoom(0.5); }),
        button("Zoom out", () => { this.zoom(2); }),
        button("Earlier", () => { this.pan(-0.5); }),
        button("Later", () => { this.pan(0.5); }),
        button("Work’s start", () => { this.reset(); }),
        button("All", () => { this.show(this.first, this.last); }),
      ),
      this.key(),
      said,
    );
    for (const panel of panels) {
      const chart = new Lane(this, life, panel, models.name(panel.model), (text) => { fill(said, text); });
      this.charts.push(chart);
      this.root.append(chart.root);
    }
    models.changed(() => {
      for (const chart of this.charts) {
        chart.root.hidden = !models.shown(chart.panel.model);
        chart.fit();
      }
    });
    this.reset();
  }

  private key(): HTMLElement {
    const seen = new Set(this.life.panels.flatMap((p) => p.lanes.flatMap((l) => l.blocks.map((b) => b.phase))));
    return el(
      "p",
      { class: "key" },
      ...this.life.phases.flatMap((phase, i) => {
        if (!seen.has(i)) {
          return [];
        }
        const swatch = el("span", { class: "swatch", "aria-hidden": "true" }, phase.hatch);
        swatch.style.background = phase.color;
        return [el("span", {}, swatch, phase.name)];
      }),
      ...(this.life.panels.some((p) => p.lanes.some((l) => l.known !== undefined && l.known < p.end)) ? ["dotted: goes on, and is not in this file"] : []),
    );
  }

  // reset shows as much as tells what each model does.
  reset(): void {
    const window = Math.max(...this.life.panels.map((p) => Math.min(p.window, p.end)));
    this.show(-0.04 * window, window);
  }

  // show has all charts show a time; what is outside of the records is not.
  show(from: number, to: number): void {
    const width = Math.min(Math.max(to - from, 1e-3), (this.last - this.first) * 1.02);
    this.from = Math.min(Math.max(from, this.first - 0.01 * width), Math.max(this.last + 0.01 * width - width, this.first - 0.01 * width));
    this.to = this.from + width;
    for (const chart of this.charts) {
      chart.show(this.from, this.to);
    }
  }

  zoom(factor: number, at = (this.from + this.to) / 2): void {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(share: number): void {
    const by = share * (this.to - this.from);
    this.show(this.from + by, this.to + by);
  }

  // reveal shows a time if it is not shown.
  reveal(from: number, to: number): void {
    if (from < this.from || to > this.to) {
      const width = Math.max(this.to - this.from, 1.5 * (to - from));
      this.show((from + to - width) / 2, (from + to + width) / 2);
    }
  }

  fit(): void {
    for (const chart of this.charts) {
      chart.fit();
    }
  }
}

// A Lane is the chart of one model.
class Lane {
  readonly root = el("section", { class: "panel" });
  private readonly box: HTMLDivElement;
  private readonly plot: uPlot;
  private readonly blocks: { lane: number; block: LifeBlock }[];
  private chosen = -1;
  private pointed = -1;
  private setting = false;

  constructor(
    private readonly all: Lanes,
    private readonly life: LifeCycle,
    readonly panel: LifeModel,
    name: string,
    private readonly say: (text: string) => void,
  ) {
    this.blocks = panel.lanes
      .flatMap((l, lane) => l.blocks.map((block) => ({ lane, block })))
      .sort((a, b) => a.block.from - b.block.from || a.lane - b.lane);
    this.box = el("div", {
      class: "chart card",
      role: "application",
      tabindex: "0",
      "aria-label": `Life cycle of ${name}. Left and right move, plus and minus zoom, 0 shows the start of work; n and p tell the next and the previous block.`,
    });
    this.root.append(el("h4", {}, name), this.box);
    const lanes = panel.lanes;
    this.plot = new uPlot(
      {
        width: 600,
        height: lanes.length * pitch + 48,
        legend: { show: false },
        padding: [4, 12, 0, 0],
        scales: { x: { time: false, range: (_, min, max) => [min, max] }, y: { range: [0, lanes.length] } },
        series: [{}, {}],
        axes: [
          { font, size: 40, space: 70, values: (_, splits) => splits.map((x) => (x === 0 ? "0" : millis(x))), label: "since the start of work", labelFont: font, labelSize: 14 },
          { font, size: labels, grid: { show: false }, ticks: { show: false }, splits: lanes.map((_, i) => i + 0.5), values: () => lanes.map((_, i) => lanes[lanes.length - 1 - i]?.label ?? "") },
        ],
        cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: true }, bind: { dblclick: () => () => { this.all.reset(); return null; } } },
        hooks: {
          draw: [(u) => { this.draw(u); }],
          setCursor: [(u) => { this.point(u); }],
          setScale: [(u, scale) => { this.scaled(u, scale); }],
        },
      },
      [
        [panel.begin, panel.end],
        [null, null],
      ],
      this.box,
    );
    this.plot.root.setAttribute("aria-hidden", "true");
    this.box.addEventListener("keydown", (event) => { this.pressed(event); });
    this.plot.over.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) {
          return; // the page scrolls
        }
        event.preventDefault();
        const at = this.plot.posToVal(event.clientX - this.plot.over.getBoundingClientRect().left, "x");
        this.all.zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
      },
      { passive: false },
    );
  }

  show(from: number, to: number): void {
    this.setting = true;
    this.plot.setScale("x", { min: from, max: to });
    this.setting = false;
  }

  // scaled follows a part of the chart that was drawn open with the mouse.
  private scaled(u: uPlot, scale: string): void {
    const { min, max } = u.scales["x"] ?? {};
    if (scale === "x" && !this.setting && typeof min === "number" && typeof max === "number" && u.status === 1) {
      queueMicrotask(() => { this.all.show(min, max); });
    }
  }

  fit(): void {
    const width = inner(this.box);
    if (width > 0) {
      this.plot.setSize({ width, height: this.plot.height });
    }
  }

  private pressed(event: KeyboardEvent): void {
    const act: Record<string, () => void> = {
      ArrowLeft: () => { this.all.pan(-0.2); },
      ArrowRight: () => { this.all.pan(0.2); },
      "+": () => { this.all.zoom(0.5); },
      "=": () => { this.all.zoom(0.5); },
      "-": () => { this.all.zoom(2); },
      "0": () => { this.all.reset(); },
      n: () => { this.choose(this.chosen + 1); },
      p: () => { this.choose(this.chosen - 1); },
    };
    const action = act[event.key];
    if (action !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      action();
    }
  }

  private choose(i: number): void {
    const found = this.blocks[i];
    if (found === undefined) {
      return;
    }
    this.chosen = i;
    this.all.reveal(found.block.from, found.block.to);
    this.tell(i);
  }

  private tell(i: number): void {
    const found = this.blocks[i];
    if (found !== undefined) {
      this.say(this.words(found.lane, found.block));
      this.pointed = i;
      this.plot.redraw(false);
    }
  }

  private point(u: uPlot): void {
    const { left = -1, top = -1 } = u.cursor;
    if (left < 0 || top < 0) {
      return;
    }
    const at = u.posToVal(left, "x");
    const lane = this.panel.lanes.length - 1 - Math.floor(u.posToVal(top, "y"));
    const near = u.posToVal(left + 2, "x") - at; // blocks may be narrower than a pixel
    const i = this.blocks.findIndex((b) => b.lane === lane && b.block.from - near <= at && at <= b.block.to + near);
    if (i >= 0 && i !== this.pointed) {
      this.chosen = i;
      this.tell(i);
    }
  }

  // words are what a block is, and its job.
  private words(lane: number, block: LifeBlock): string {
    const phase = this.life.phases[block.phase]?.name ?? "";
    const place = this.panel.lanes[lane]?.label ?? "";
    let text = `${place === "" ? "" : place + ", "}${phase}: ${millis(block.to - block.from)}, from ${millis(block.from)} to ${millis(block.to)}.`;
    const job = block.job;
    if (job !== undefined) {
      text += ` Job ${job.id}, ${job.seq === 1 ? "the first" : `number ${job.seq}`} of its process, ${job.status}: due at ${millis(job.due)}, taken at ${millis(job.dequeued)}, `;
      text += job.started === 0 ? "never started" : `started at ${millis(job.started)}`;
      text += `, finished at ${millis(job.finished)}; latency ${millis(job.finished - job.due)}, CPU ${millis(job.cpu)}.`;
      if (job.detail !== undefined) {
        text += " " + job.detail;
      }
    }
    return text;
  }

  private draw(u: uPlot): void {
    const { ctx, bbox } = u;
    const scale = devicePixelRatio;
    const lanes = this.panel.lanes;
    const x = (ms: number) => Math.min(Math.max(u.valToPos(ms, "x", true), bbox.left), bbox.left + bbox.width);
    const middle = (lane: number) => u.valToPos(lanes.length - 0.5 - lane, "y", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    lanes.forEach((lane, i) => {
      const height = (lane.parent ? 8 : 14) * scale;
      const top = middle(i) - height / 2;
      ctx.fillStyle = lane.parent ? "#ffffff" : "#eeeeee";
      ctx.strokeStyle = "#555555";
      ctx.lineWidth = scale;
      const known = lane.known ?? Infinity;
      const lives = lane.lives.map(([from, to]): [number, number] => [from, Math.min(to, known)]).filter(([from, to]) => to > from);
      for (const [from, to] of lives) {
        ctx.fillRect(x(from), top, x(to) - x(from), height);
      }
      for (const block of lane.blocks) {
        this.drawBlock(ctx, block, x(block.from), top, Math.max(x(block.to) - x(block.from), 0.5 * scale), height);
      }
      if (known < this.panel.end) {
        ctx.save();
        ctx.strokeStyle = "#767676"; // it goes on, and is not on record here
        ctx.lineWidth = 2 * scale;
        ctx.setLineDash([2 * scale, 4 * scale]);
        ctx.beginPath();
        ctx.moveTo(x(known) + 4 * scale, middle(i));
        ctx.lineTo(x(this.panel.end), middle(i));
        ctx.stroke();
        ctx.restore();
      }
      for (const [from, to] of lives) {
        const width = x(to) - x(from);
        if (width > 3 * scale) {
          ctx.strokeRect(x(from), top, width, height);
        }
      }
    });
    const found = this.blocks[this.pointed];
    if (found !== undefined) {
      const height = 18 * scale;
      ctx.strokeStyle = "#000000";
      ctx.lineWidth = 2 * scale;
      ctx.strokeRect(x(found.block.from), middle(found.lane) - height / 2, Math.max(x(found.block.to) - x(found.block.from), 2 * scale), height);
    }
    ctx.restore();
  }

  private drawBlock(ctx: CanvasRenderingContext2D, block: LifeBlock, left: number, top: number, width: number, height: number): void {
    const phase = this.life.phases[block.phase];
    if (phase === undefined) {
      return;
    }
    ctx.fillStyle = phase.color;
    ctx.fillRect(left, top, width, height);
    const scale = devicePixelRatio;
    if (width > 6 * scale && phase.hatch !== "") {
      hatch(ctx, phase.hatch, left, top, width, height, 5 * scale);
    }
    if (block.job !== undefined && block.job.status !== "done" && width > 0) {
      ctx.strokeStyle = "#000000";
      ctx.lineWidth = 2 * scale;
      ctx.beginPath();
      const arm = 4 * scale;
      const [right, y] = [left + width, top + height / 2];
      ctx.moveTo(right - arm, y - arm);
      ctx.lineTo(right + arm, y + arm);
      ctx.moveTo(right - arm, y + arm);
      ctx.lineTo(right + arm, y - arm);
      ctx.stroke();
    }
  }
}

// hatch draws the lines that tell phases apart in grey.
function hatch(ctx: CanvasRenderingContext2D, kind: string, left: number, top: number, width: number, height: number, gap: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.beginPath();
  ctx.strokeStyle = kind === "|" ? "#00000060" : "#ffffffa0";
  ctx.lineWidth = 1;
  for (let d = -height; d < width + height; d += gap) {
    switch (kind) {
      case "|":
        ctx.moveTo(left + d, top);
        ctx.lineTo(left + d, top + height);
        break;
      case "/":
        ctx.moveTo(left + d, top + height);
        ctx.lineTo(left + d + height, top);
        break;
      case "\\":
        ctx.moveTo(left + d, top);
        ctx.lineTo(left + d + height, top + height);
        break;
    }
  }
  if (kind === "-") {
    for (let d = gap / 2; d < height; d += gap) {
      ctx.moveTo(left, top + d);
      ctx.lineTo(left + width, top + d);
    }
  }
  ctx.stroke();
  ctx.restore();
}

